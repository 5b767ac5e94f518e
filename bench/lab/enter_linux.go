package lab

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// enteredEnv holds the id of the process that Enter re-executed. Its children
// inherit the variable and have other ids.
const enteredEnv = "SLUICE_BENCH_LAB_ENTERED"

// Enter makes labs possible for an ordinary user: it re-executes this process
// (same arguments, same pid) as root of a user namespace of its own, with its own
// network and mount namespaces and an empty /run, where `ip netns` keeps its
// names and iptables its lock. For root it does nothing. Call it once, first in
// main: for an ordinary user it does not return on success; the re-executed
// process calls it again and goes on, inside.
func Enter() error {
	if Entered() {
		if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"); err != nil {
			return fmt.Errorf("tmpfs on /run: %w", err)
		}
		return nil
	}
	if os.Geteuid() == 0 {
		return nil
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		return MissingProgram("unshare")
	}
	args := []string{"unshare", "--user", "--map-root-user", "--net", "--mount", "--"}
	if out, err := exec.Command(unshare, append(args[1:], "true")...).CombinedOutput(); err != nil {
		return fmt.Errorf("not root, and no user namespace of one's own: %s; run as root, or allow them: "+
			"sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000, "+
			"and on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0", strings.TrimSpace(string(out)))
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args = append(append(args, self), os.Args[1:]...)
	return os.NewSyscallError("execve", unix.Exec(unshare, args, append(os.Environ(), enteredEnv+"="+strconv.Itoa(os.Getpid()))))
}

// Entered tells whether Enter moved this process into a user namespace: nobody
// outside can reach the labs that it makes.
func Entered() bool { return os.Getenv(enteredEnv) == strconv.Itoa(os.Getpid()) }
