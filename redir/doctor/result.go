package doctor

import (
	"fmt"
	"slices"
	"strings"
)

// Status is how bad it is.
type Status string

// The statuses.
const (
	OK   Status = "ok"
	Warn Status = "warn" // it flows, but not as it could, or not always
	Fail Status = "fail" // traffic does not flow
)

// Result is the verdict of one check.
type Result struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	Detail string `json:"detail"`           // what is
	Remedy string `json:"remedy,omitempty"` // a command that mends it
}

// String is one line.
func (r Result) String() string {
	line := fmt.Sprintf("%-4s  %s: %s", r.Status, r.Name, r.Detail)
	if r.Remedy != "" {
		line += "  ->  " + r.Remedy
	}
	return line
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
	name              string
	status            Status
	details, remedies []string
}

func (j *judge) find(status Status, detail, remedy string) {
	if j.status != Fail && (status == Fail || j.status != Warn) {
		j.status = status
	}
	j.details = append(j.details, detail)
	if remedy != "" && !slices.Contains(j.remedies, remedy) {
		j.remedies = append(j.remedies, remedy)
	}
}

// result is what was found, or ok with the given detail when nothing was.
func (j *judge) result(fine string) Result {
	if len(j.details) == 0 {
		return ok(j.name, "%s", fine)
	}
	return Result{j.name, j.status, strings.Join(j.details, "; "), strings.Join(j.remedies, "; ")}
}
