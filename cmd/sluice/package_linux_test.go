package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// output runs a program of the system, without which this test has failed.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// buildPackage makes the Debian package, compressed as is quickest.
func buildPackage(t *testing.T, program string) string {
	t.Helper()
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	t.Setenv("DPKG_DEB_COMPRESSOR_TYPE", "gzip")
	return strings.TrimSpace(output(t, "package/build-deb", program, "v1.2-3-gabc", t.TempDir()))
}

func TestPackage(t *testing.T) {
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Skip("a Debian package is made on Debian: there is no dpkg-deb here")
	}
	program := buildProgram(t)
	deb := buildPackage(t, program)
	if !strings.HasPrefix(filepath.Base(deb), "sluice_1.2+3+gabc_") {
		t.Errorf("package %s", deb)
	}
	again, err := os.ReadFile(buildPackage(t, program))
	if first, firstErr := os.ReadFile(deb); err != nil || firstErr != nil || string(first) != string(again) {
		t.Errorf("built twice, and not the same: %v, %v", firstErr, err)
	}
	contents := output(t, "dpkg-deb", "--contents", deb)
	for _, want := range []string{
		"-rwxr-xr-x root/root", "./usr/bin/sluice\n", "./etc/sluice/sluice.json\n",
		"./usr/lib/systemd/system/sluice.service\n", "./usr/lib/sysusers.d/sluice.conf\n",
		"./usr/share/man/man8/sluice.8.gz\n", "./usr/share/bash-completion/completions/sluice\n",
		"./usr/share/zsh/vendor-completions/_sluice\n", "./usr/share/fish/vendor_completions.d/sluice.fish\n",
		"./usr/share/sluice/grafana-dashboard.json\n", "./usr/share/sluice/prometheus-alerts.yml\n",
	} {
		if !strings.Contains(contents, want) {
			t.Errorf("no %q in\n%s", want, contents)
		}
	}
	if got := output(t, "dpkg-deb", "--info", deb, "conffiles"); got != "/etc/logrotate.d/sluice\n/etc/sluice/sluice.json\n" {
		t.Errorf("conffiles: %q", got)
	}
	dir := t.TempDir()
	output(t, "dpkg-deb", "--extract", deb, dir)
	output(t, program, "check", dir+"/etc/sluice/sluice.json")
	page := output(t, "man", "--warnings", "-l", dir+"/usr/share/man/man8/sluice.8.gz")
	if !strings.Contains(page, "SLUICE_UDP_TIMEOUT") || strings.Contains(page, "warning:") {
		t.Errorf("manual page:\n%s", page)
	}
}

// TestInstallPackage installs into a directory of its own, and purges.
func TestInstallPackage(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("dpkg installs as root only")
	}
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skip("a Debian package is installed on Debian: there is no dpkg here")
	}
	deb := buildPackage(t, buildProgram(t))
	root := t.TempDir()
	for _, dir := range []string{"etc", "var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"status", "available"} {
		if err := os.WriteFile(filepath.Join(root, "var/lib/dpkg", file), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	dpkg := []string{"--root=" + root, "--log=/dev/null", "--force-script-chrootless", "--force-depends"}
	output(t, "dpkg", append(dpkg, "--install", deb)...)
	users, err := os.ReadFile(filepath.Join(root, "etc/passwd"))
	if err != nil || !strings.Contains(string(users), "sluice:x:") {
		t.Errorf("no user: %v\n%s", err, users)
	}
	output(t, "dpkg", append(dpkg, "--purge", "sluice")...)
	for _, gone := range []string{"etc/sluice", "etc/logrotate.d", "usr"} {
		if _, err := os.Lstat(filepath.Join(root, gone)); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", gone, err)
		}
	}
}

// TestUnit: systemd finds nothing wrong with the unit, and an exposure of 2.0
// at most.
func TestUnit(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("there is no systemd-analyze here to judge the unit")
	}
	text, err := os.ReadFile("package/sluice.service")
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "sluice.service")
	here := strings.ReplaceAll(string(text), "/usr/bin/sluice", "/bin/true") // sluice is not installed
	if err := os.WriteFile(unit, []byte(here), 0o644); err != nil {
		t.Fatal(err)
	}
	if said := output(t, "systemd-analyze", "verify", "--man=no", unit); said != "" {
		t.Errorf("verify: %s", said)
	}
	output(t, "systemd-analyze", "security", "--offline=true", "--threshold=20", unit)
}
