package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
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

// buildPackages makes packages of some formats for an architecture, compressed as is
// quickest, and returns their paths.
func buildPackages(t *testing.T, described, formats, arch string) []string {
	t.Helper()
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	t.Setenv("DEB_COMPRESSION", "gzip")
	return strings.Fields(output(t, "package/build-packages", described, t.TempDir(), formats, arch))
}

// TestPackages builds each format twice, and looks at what is in it with the tools of
// those who install it, as far as Debian has them.
func TestPackages(t *testing.T) {
	first, second := buildPackages(t, "v1.2-3-gabc", "deb,rpm,apk,ipk", "amd64"), buildPackages(t, "v1.2-3-gabc", "deb,rpm,apk,ipk", "amd64")
	if len(first) != 4 || filepath.Base(first[0]) != "sluice_1.2+3+gabc_amd64.deb" {
		t.Fatalf("packages %q", first)
	}
	for i := range first {
		one, err1 := os.ReadFile(first[i])
		other, err2 := os.ReadFile(second[i])
		if err1 != nil || err2 != nil || string(one) != string(other) {
			t.Errorf("%s: built twice, and not the same: %v, %v", first[i], err1, err2)
		}
	}
	deb, rpm, apk, ipk := first[0], first[1], first[2], first[3]
	everywhere := []string{"/usr/bin/sluice\n", "/etc/sluice/sluice.json\n", "/etc/sluice/conf.d"}
	documented := []string{"/usr/share/man/man8/sluice.8.gz\n", "/usr/share/bash-completion/completions/sluice\n", "/usr/share/fish/vendor_completions.d/sluice.fish\n", "/usr/lib/sysctl.d/30-sluice.conf\n"}
	systemd := []string{"/usr/lib/systemd/system/sluice.service\n", "/usr/lib/sysusers.d/sluice.conf\n", "/usr/lib/tmpfiles.d/sluice.conf\n", "/usr/share/sluice/prometheus-alerts.yml\n", "/etc/logrotate.d/sluice\n"}
	data := filepath.Join(t.TempDir(), "data.tar.gz")
	output(t, "sh", "-c", `tar -xzOf "$1" ./data.tar.gz >"$2"`, "sh", ipk, data)
	for _, c := range []struct {
		contents string
		want     []string
	}{
		{output(t, "dpkg-deb", "--contents", deb), slices.Concat(everywhere, documented, systemd, []string{"/usr/share/zsh/vendor-completions/_sluice\n", "-rwxr-xr-x root/root"})},
		{output(t, "rpm", "-qpl", rpm), slices.Concat(everywhere, documented, systemd, []string{"/usr/share/zsh/site-functions/_sluice\n"})},
		{"/" + strings.ReplaceAll(output(t, "tar", "--warning=no-unknown-keyword", "-tzf", apk), "\n", "\n/"), slices.Concat(everywhere, documented, []string{"/etc/init.d/sluice\n", "/etc/logrotate.d/sluice\n"})},
		{output(t, "tar", "-tzf", data), slices.Concat(everywhere, []string{"/etc/init.d/sluice\n", "/etc/sysctl.d/30-sluice.conf\n", "/lib/upgrade/keep.d/sluice\n"})},
	} {
		for _, want := range c.want {
			if !strings.Contains(c.contents, want) {
				t.Errorf("no %q in\n%s", want, c.contents)
			}
		}
	}
	// What differs between machines and checkouts is in none.
	for line := range strings.Lines(output(t, "tar", "--utc", "--warning=no-unknown-keyword", "-tvzf", apk)) {
		if !strings.Contains(line, " 2023-11-14 22:13 ") && !strings.Contains(line, " .PKGINFO") {
			t.Errorf("another time than SOURCE_DATE_EPOCH: %s", line)
		}
	}
	if host := output(t, "rpm", "-qp", "--queryformat", "%{BUILDHOST}", rpm); host != "localhost" {
		t.Errorf("the rpm names the machine that built it, %q", host)
	}
	info := output(t, "tar", "--warning=no-unknown-keyword", "-xzOf", apk, ".PKGINFO")
	if got := regexp.MustCompile(`(?m)^[a-z]+ = .+$`).ReplaceAllString(info, ""); strings.TrimSpace(got) != "" {
		t.Errorf("lines of .PKGINFO without a key: %q", got)
	}
	if got := output(t, "dpkg-deb", "--info", deb, "conffiles"); got != "/etc/logrotate.d/sluice\n/etc/sluice/sluice.json\n" {
		t.Errorf("conffiles: %q", got)
	}
	if got := output(t, "sh", "-c", `tar -xzOf "$1" ./control.tar.gz | tar -xzO ./conffiles`, "sh", ipk); got != "/etc/sluice/sluice.json\n/etc/sysctl.d/30-sluice.conf\n" {
		t.Errorf("conffiles of the ipk: %q", got)
	}
	if got := output(t, "rpm", "-qp", "--configfiles", rpm); got != "/etc/logrotate.d/sluice\n/etc/sluice/sluice.json\n" {
		t.Errorf("files of the configuration: %q", got)
	}
	if said := output(t, "lintian", "--allow-root", "--fail-on", "error,warning", deb); strings.TrimSpace(said) != "" {
		t.Errorf("lintian: %s", said)
	}
	dir := t.TempDir()
	output(t, "dpkg-deb", "--extract", deb, dir)
	program := filepath.Join(dir, "usr/bin/sluice")
	if said := output(t, program, "--version"); said != "sluice v1.2-3-gabc\n" {
		t.Errorf("version %q", said)
	}
	output(t, program, "check", dir+"/etc/sluice/sluice.json")
	for _, script := range []string{"sluice.openrc", "sluice.procd"} {
		output(t, "sh", "-n", "package/"+script)
	}
	page := output(t, "man", "--warnings", "-l", dir+"/usr/share/man/man8/sluice.8.gz")
	if !strings.Contains(page, "SLUICE_UDP_TIMEOUT") || strings.Contains(page, "warning:") {
		t.Errorf("manual page:\n%s", page)
	}
}

// TestForeignPackage runs what is made for a machine of 32 bits.
func TestForeignPackage(t *testing.T) {
	deb := buildPackages(t, "v1.2.3", "deb", "armhf")[0]
	if arch := output(t, "dpkg-deb", "--field", deb, "Architecture"); arch != "armhf\n" {
		t.Errorf("architecture %q", arch)
	}
	dir := t.TempDir()
	output(t, "dpkg-deb", "--extract", deb, dir)
	program := filepath.Join(dir, "usr/bin/sluice")
	if said := output(t, "qemu-arm-static", program, "version"); !strings.Contains(said, "for linux/arm\n") {
		t.Errorf("version: %s", said)
	}
	output(t, "qemu-arm-static", program, "check", dir+"/etc/sluice/sluice.json")
	if said := output(t, "qemu-arm-static", program, "run", "--config", dir+"/etc/sluice/sluice.json", "--print-config"); said != output(t, buildProgram(t), "run", "--config", dir+"/etc/sluice/sluice.json", "--print-config") {
		t.Errorf("another configuration: %s", said)
	}
}

// TestVersionsOrder has versions of packages order as they were made, by the rules of
// each format.
func TestVersionsOrder(t *testing.T) {
	described := []string{"0.0.0-9-gfff", "0.0.0-10-gabc-dirty", "v1.2.3", "v1.2.3-1-gfff", "v1.2.3-10-gabc", "v1.2.4-beta.1", "v1.2.4-rc1", "v1.2.4-rc1-2-gabc", "v1.2.4-rc2", "v1.2.4", "v1.10.0", "v2", "v2-1-gabc"}
	version := func(format, described string) string {
		return strings.TrimSpace(output(t, "package/version", format, described))
	}
	for i := range described[1:] {
		before, after := described[i], described[i+1]
		output(t, "dpkg", "--compare-versions", version("deb", before), "lt", version("deb", after))
		lua := fmt.Sprintf(`%%{lua:print(rpm.vercmp(%q, %q))}`, version("rpm", before), version("rpm", after))
		if got := strings.TrimSpace(output(t, "rpm", "--eval", lua)); got != "-1" {
			t.Errorf("rpm: %s and %s: %s", version("rpm", before), version("rpm", after), got)
		}
		if v := version("apk", after); !regexp.MustCompile(`^[0-9]+(\.[0-9]+)*(_(beta|rc)[0-9]+)?(_p[0-9]+)?$`).MatchString(v) {
			t.Errorf("apk: %s", v)
		}
	}
}

// TestInstallPackage installs into a directory of its own, upgrades, removes and purges:
// with dpkg, and with rpm, whose scripts are looked at alone, since they would touch this
// machine.
func TestInstallPackage(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("dpkg installs as root only")
	}
	older, newer := buildPackages(t, "v1.2.3", "deb,rpm", "amd64"), buildPackages(t, "v1.2.4", "deb,rpm", "amd64")
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
	dpkg := []string{"--root=" + root, "--log=/dev/null", "--force-script-chrootless", "--force-depends", "--force-confold"}
	output(t, "dpkg", append(dpkg, "--install", older[0])...)
	users, err := os.ReadFile(filepath.Join(root, "etc/passwd"))
	if err != nil || !strings.Contains(string(users), "sluice:x:") {
		t.Errorf("no user: %v\n%s", err, users)
	}
	settings := filepath.Join(root, "etc/sluice/sluice.json")
	const mine = `{"type": "tproxy", "listen_port": 1}`
	if err := os.WriteFile(settings, []byte(mine), 0o644); err != nil {
		t.Fatal(err)
	}
	output(t, "dpkg", append(dpkg, "--install", newer[0])...)
	if said := output(t, filepath.Join(root, "usr/bin/sluice"), "--version"); said != "sluice v1.2.4\n" {
		t.Errorf("upgraded to %s", said)
	}
	output(t, "dpkg", append(dpkg, "--remove", "sluice")...)
	if text, err := os.ReadFile(settings); err != nil || string(text) != mine {
		t.Errorf("an upgrade and a removal leave %q, %v", text, err)
	}
	output(t, "dpkg", append(dpkg, "--purge", "sluice")...)
	for _, gone := range []string{"etc/sluice", "etc/logrotate.d", "usr", "var/log/sluice", "run/sluice"} {
		if _, err := os.Lstat(filepath.Join(root, gone)); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", gone, err)
		}
	}
	rpm := func(args ...string) {
		output(t, "rpm", append([]string{"--root", filepath.Join(root, "rpm"), "--nodeps", "--noscripts"}, args...)...)
	}
	rpm("-i", "--ignorearch", older[1])
	rpm("-U", "--ignorearch", newer[1])
	if said := output(t, filepath.Join(root, "rpm/usr/bin/sluice"), "--version"); said != "sluice v1.2.4\n" {
		t.Errorf("rpm upgraded to %s", said)
	}
	rpm("-e", "sluice")
	if left := output(t, "find", filepath.Join(root, "rpm"), "-path", "*sluice*"); left != "" {
		t.Errorf("rpm left %s", left)
	}
	if scripts := output(t, "rpm", "-qp", "--scripts", newer[1]); !strings.Contains(scripts, "systemd-sysusers") || !strings.Contains(scripts, "try-restart") {
		t.Errorf("scripts of the rpm: %s", scripts)
	}
}

// TestMakeInstall installs into a directory, twice, and takes it away.
func TestMakeInstall(t *testing.T) {
	root := t.TempDir()
	makes := func(target string) {
		output(t, "make", "-C", "../..", target, "DESTDIR="+root, "PREFIX=/usr", "BIN="+t.TempDir())
	}
	makes("install")
	settings := filepath.Join(root, "etc/sluice/sluice.json")
	if err := os.WriteFile(settings, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	makes("install")
	if text, err := os.ReadFile(settings); err != nil || string(text) != "{}" {
		t.Errorf("the configuration was replaced: %q, %v", text, err)
	}
	output(t, filepath.Join(root, "usr/bin/sluice"), "version")
	unit, err := os.ReadFile(filepath.Join(root, "etc/systemd/system/sluice.service"))
	if err != nil || !strings.Contains(string(unit), "ExecStart=/usr/bin/sluice run\n") {
		t.Errorf("unit: %v\n%s", err, unit)
	}
	makes("uninstall")
	if left := output(t, "find", root, "-type", "f"); left != settings+"\n" {
		t.Errorf("left: %s", left)
	}
}

// TestContainer builds the image's last stage by hand, from what it copies, and runs
// sluice with nothing but that around it.
func TestContainer(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("chroot needs root")
	}
	t.Setenv("SLUICE_CONFIG", "")
	text, err := os.ReadFile("package/Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, last, _ := strings.Cut(string(text), "\nFROM scratch\n")
	root := t.TempDir()
	for line := range strings.Lines(last) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != "COPY" {
			continue
		}
		from, to := filepath.Join("../..", words[len(words)-2]), filepath.Join(root, words[len(words)-1])
		switch {
		case words[1] != "--from=build":
			output(t, "install", "-D", "-m", "644", from, to)
		case words[2] == "/sluice":
			output(t, "install", "-D", "-m", "755", buildProgram(t), to)
		default:
			output(t, "install", "-d", to)
		}
	}
	for _, args := range [][]string{{"version"}, {"run", "--tproxy", ":1", "--user", "sluice", "--print-config"}, {"help"}} {
		output(t, "chroot", append([]string{root, "/usr/bin/sluice"}, args...)...)
	}
	cmd := exec.Command("chroot", root, "/usr/bin/sluice", "check")
	if said, _ := cmd.CombinedOutput(); !strings.Contains(string(said), "there is no configuration") {
		t.Errorf("check: %s", said)
	}
	put(t, root, map[string]string{"etc/sluice/conf.d/a.json": `{"type": "tproxy", "listen_port": 12345}`})
	if said := output(t, "chroot", root, "/usr/bin/sluice", "check"); said != "/etc/sluice/conf.d/a.json: ok\n" {
		t.Errorf("check: %s", said)
	}
	// As its entry point, and as its health check: root with three capabilities alone.
	contained := filepath.Join(t.TempDir(), "sluice")
	text = []byte(fmt.Sprintf(`#!/bin/sh
unset NOTIFY_SOCKET WATCHDOG_USEC
exec unshare --mount sh -c 'for dir in proc dev; do mkdir -p %[1]s/$dir && mount --rbind /$dir %[1]s/$dir || exit; done
	exec setpriv --bounding-set=-all,+net_admin,+net_raw,+net_bind_service,+sys_chroot chroot %[1]s /usr/bin/sluice "$@"' sh "$@"
`, root))
	if err := os.WriteFile(contained, text, 0o755); err != nil {
		t.Fatal(err)
	}
	startRun(t, contained)
	if said := output(t, contained, "health"); said != "well\n" {
		t.Errorf("health: %s", said)
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
