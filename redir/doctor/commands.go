package doctor

import "strings"

// finish makes the commands of the results whole: with the interfaces that
// doctor was asked about where sluice itself is to be run, and with sudo for
// those who need it.
func finish(results []Result, ifaces []string, isRoot bool) {
	for i := range results {
		r := &results[i]
		r.Remedy = eachCommand(r.Remedy, func(command string) string {
			if strings.HasPrefix(command, "sluice doctor") || strings.HasPrefix(command, "sluice rules install") {
				command = withIfaces(command, ifaces)
			}
			if !isRoot {
				command = "sudo " + command
			}
			return command
		})
		if !isRoot {
			r.Lasting = strings.ReplaceAll(r.Lasting, " >> ", " | sudo tee -a ")
		}
	}
}

// eachCommand changes the commands of a remedy, but nothing in a comment.
func eachCommand(remedy string, change func(string) string) string {
	if remedy == "" {
		return ""
	}
	commands, comment, commented := strings.Cut(remedy, "  #")
	all := strings.Split(commands, "; ")
	for i, command := range all {
		all[i] = change(command)
	}
	remedy = strings.Join(all, "; ")
	if commented {
		remedy += "  #" + comment
	}
	return remedy
}

func withIfaces(command string, ifaces []string) string {
	if strings.Contains(command, "--iface") {
		return command
	}
	for _, name := range ifaces {
		command += " --iface " + name
	}
	return command
}
