package doctor

import (
	"fmt"
	"slices"
	"strings"

	"sluice/redir/quote"
)

// Status is how bad it is.
type Status string

// The statuses.
const (
	OK   Status = "ok"
	Note Status = "note" // nothing is wrong, but it should be known
	Warn Status = "warn" // it flows, but not as it could, or not always
	Fail Status = "fail" // traffic does not flow
)

// severity orders them.
func (s Status) severity() int { return slices.Index([]Status{OK, Note, Warn, Fail}, s) }

// Result is the verdict of one check.
type Result struct {
	Name    string `json:"name"`
	Status  Status `json:"status"`
	Detail  string `json:"detail"`            // what is
	Remedy  string `json:"remedy,omitempty"`  // commands that mend it
	Lasting string `json:"lasting,omitempty"` // how that survives a reboot
}

// String is one line, whatever others call what it names.
func (r Result) String() string {
	line := fmt.Sprintf("%-4s  %s: %s", r.Status, r.Name, r.Detail)
	if r.Remedy != "" {
		line += "  ->  " + r.Remedy
	}
	if r.Lasting != "" {
		line += "  (to last: " + r.Lasting + ")"
	}
	return quote.Line(line)
}

// Failed tells whether any check failed.
func Failed(results []Result) bool {
	for _, r := range results {
		if r.Status == Fail {
			return true
		}
	}
	return false
}

func ok(name, format string, args ...any) Result {
	return Result{Name: name, Status: OK, Detail: fmt.Sprintf(format, args...)}
}

// judge collects the findings of one check, of which the worst decides.
type judge struct {
	name                       string
	status                     Status
	details, remedies, lasting []string
}

func (j *judge) find(status Status, detail, remedy string) {
	if status.severity() > j.status.severity() {
		j.status = status
	}
	if !slices.Contains(j.details, detail) {
		j.details = append(j.details, detail)
	}
	if remedy != "" && !slices.Contains(j.remedies, remedy) {
		j.remedies = append(j.remedies, remedy)
		if setting, isSysctl := strings.CutPrefix(remedy, "sysctl -w "); isSysctl {
			j.last("echo " + setting + " >> /etc/sysctl.d/90-sluice.conf")
		}
	}
}

// last says how a remedy survives a reboot.
func (j *judge) last(how string) {
	if how != "" && !slices.Contains(j.lasting, how) {
		j.lasting = append(j.lasting, how)
	}
}

// result is what was found, or ok with the given detail when nothing was.
func (j *judge) result(fine string) Result {
	if len(j.details) == 0 {
		return ok(j.name, "%s", fine)
	}
	return Result{j.name, j.status, strings.Join(j.details, "; "), strings.Join(j.remedies, "; "), strings.Join(j.lasting, "; ")}
}
