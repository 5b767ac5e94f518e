package metrics

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/redir/count"
)

// What the package brings.
const (
	dashboardFile = "../package/grafana-dashboard.json"
	alertsFile    = "../package/prometheus-alerts.yml"
)

// patience is how long a test waits for what should happen within a second.
const patience = 30 * time.Second

// dashboard is what Grafana reads, as far as it concerns queries.
type dashboard struct {
	Panels []struct {
		Title, Description, Type string
		GridPos                  struct{ X, Y, W, H int }
		Targets                  []struct{ Expr string }
	}
	Templating struct {
		List []struct{ Name, Type, Definition string }
	}
	Annotations struct{ List []struct{ Expr string } }
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	text, err := os.ReadFile(dashboardFile)
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// queries are the dashboard's, with what Grafana puts in place of its variables.
func (d *dashboard) queries() map[string]string {
	grafana := strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*")
	all := map[string]string{}
	for _, p := range d.Panels {
		for i, target := range p.Targets {
			all[fmt.Sprintf("%s, %c", p.Title, 'A'+i)] = grafana.Replace(target.Expr)
		}
	}
	for _, a := range d.Annotations.List {
		all["annotation"] = grafana.Replace(a.Expr)
	}
	return all
}

// TestDashboard: panels lie beside each other, each says what it shows, and every
// metric that is asked for, here and by the alerts, is on a page.
func TestDashboard(t *testing.T) {
	d := readDashboard(t)
	taken := map[[2]int]string{}
	for _, p := range d.Panels {
		if p.Type != "row" && (p.Description == "" || len(p.Targets) == 0) {
			t.Errorf("panel %q says nothing, or asks for nothing", p.Title)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, is := taken[[2]int{x, y}]; is || x >= 24 {
					t.Fatalf("panel %q lies at %d,%d, where %q is", p.Title, x, y, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
	if d.Templating.List[0].Type != "datasource" {
		t.Error("the data source is no variable")
	}
	alerts, err := os.ReadFile(alertsFile)
	if err != nil {
		t.Fatal(err)
	}
	page := scrape(t, full())
	asked := d.Templating.List[1].Definition + string(alerts)
	for _, query := range d.queries() {
		asked += "\n" + query
	}
	names := regexp.MustCompile(`\b(sluice|process|go)_[a-z_]+`).FindAllString(asked, -1)
	for _, name := range names {
		if !regexp.MustCompile(`(?m)^`+name+`[{ ]`).MatchString(page) && name != "go_version" {
			t.Errorf("%s is asked for, and on no page", name)
		}
	}
	if len(names) < 80 {
		t.Errorf("%d names are asked for", len(names))
	}
}

// TestAlerts: promtool finds nothing wrong with them.
func TestAlerts(t *testing.T) {
	needPromtool(t)
	if out, err := exec.Command("promtool", "check", "rules", alertsFile).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// prometheus is a real one that scrapes a page.
type prometheus struct {
	t    *testing.T
	addr string
}

// startPrometheus has one scrape a server five times a second.
func startPrometheus(t *testing.T, target string) prometheus {
	t.Helper()
	if _, err := exec.LookPath("prometheus"); err != nil {
		t.Skip("there is no prometheus here: make install-programs")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	dir := t.TempDir()
	alerts, err := filepath.Abs(alertsFile)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 200ms, evaluation_interval: 200ms}\nrule_files: [%q]\nscrape_configs:\n- job_name: sluice\n  static_configs: [{targets: [%q]}]\n",
		alerts, target)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr)
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if said, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("prometheus: %s", said)
		}
	})
	return prometheus{t, addr}
}

// get asks its API.
func (p prometheus) get(path string, query url.Values, into any) error {
	answer, err := http.Get("http://" + p.addr + "/api/v1/" + path + "?" + query.Encode())
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var said struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(answer.Body).Decode(&said); err != nil {
		return err
	}
	if said.Status != "success" {
		return fmt.Errorf("%s", said.Error)
	}
	return json.Unmarshal(said.Data, into)
}

// ask returns how many series a query has, and the first one's value.
func (p prometheus) ask(query string) (series int, value string, err error) {
	var found struct{ Result []struct{ Value [2]any } }
	if err := p.get("query", url.Values{"query": {query}}, &found); err != nil {
		return 0, "", err
	}
	if len(found.Result) > 0 {
		value = fmt.Sprint(found.Result[0].Value[1])
	}
	return len(found.Result), value, nil
}

// eventually waits until a query has the value.
func (p prometheus) eventually(query, want string) {
	p.t.Helper()
	var got string
	var err error
	for deadline := time.Now().Add(patience); got != want; {
		if time.Now().After(deadline) {
			p.t.Fatalf("%s is %q, want %q: %v", query, got, want, err)
		}
		<-time.After(50 * time.Millisecond)
		_, got, err = p.ask(query)
	}
}

// TestPrometheus: a real one takes the page, answers every query of the dashboard with
// something, and has no quarrel with the alerts.
func TestPrometheus(t *testing.T) {
	grown := uint64(0)
	server := httptest.NewServer(Handler(func() Snapshot {
		s := full()
		grown++ // scrapes come one after another
		for _, c := range count.All() {
			s.Counters[c] += grown
		}
		s.Counters[count.ConnsClosed] = s.Counters[count.ConnsAccepted] - 9
		s.Counters[count.FlowsClosed] = s.Counters[count.FlowsOpened] - 9
		for i := range s.Times {
			s.Times[i].Counts[3] += grown
		}
		s.Records[0].Written, s.Records[0].Dropped = grown, grown
		s.Lines.counts[2].Add(grown)
		return s
	}))
	defer server.Close()
	p := startPrometheus(t, server.Listener.Addr().String())
	p.eventually("up", "1")
	p.eventually(`count_over_time(sluice_build_info[1m]) > bool 3`, "1")
	p.eventually(`sluice_outbound_up{outbound="proxy"}`, "1")
	d := readDashboard(t)
	for title, query := range d.queries() {
		series, value, err := p.ask(query)
		if err != nil || series == 0 && title != "annotation" || value == "NaN" {
			t.Errorf("%s: %d series, %s, %v: %s", title, series, value, err, query)
		}
	}
	var rules struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError, State string }
		}
	}
	for deadline := time.Now().Add(patience); ; {
		if err := p.get("rules", nil, &rules); err != nil {
			t.Fatal(err)
		}
		if r := rules.Groups[0].Rules; r[len(r)-1].Health != "unknown" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("rules are not looked at: %+v", rules)
		}
		<-time.After(50 * time.Millisecond)
	}
	raised := map[string]bool{"SluiceNotReady": true, "SluiceOutboundDown": true, "SluiceLosesRecords": true, "SluiceRefusesForWantOfRoom": true}
	for _, r := range rules.Groups[0].Rules {
		if r.Health != "ok" || (r.State != "inactive") != raised[r.Name] {
			t.Errorf("%s: %s, %s %s", r.Name, r.State, r.Health, r.LastError)
		}
	}
}
