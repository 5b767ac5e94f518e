package config

import (
	"fmt"
	"strings"
	"time"

	"sluice/redir/outbound"
	"sluice/redir/source"
	"sluice/redir/value"
)

// outboundJSON is the outbound as an object. A password that stands in the file
// itself is hidden, and such a file is refused, with a word on what to do.
func outboundJSON(o *outbound.Spec) string {
	fields := []string{`"type": ` + quote(o.Kind.String()), `"tag": ` + quote(o.Tag)}
	text := func(key, value string) {
		if value != "" {
			fields = append(fields, quote(key)+": "+quote(value))
		}
	}
	if o.Kind.HasServer() {
		text("server", o.Server.Host)
		fields = append(fields, fmt.Sprintf(`"server_port": %d`, o.Server.Port))
	}
	text("username", o.User)
	text("password", passwordText(o))
	text("password_file", o.PasswordFile)
	if o.Silent {
		text("method", blockDrop)
	}
	if o.Kind == outbound.Group {
		var members []string
		for _, tag := range o.Members {
			members = append(members, quote(tag))
		}
		fields = append(fields, `"outbounds": [`+strings.Join(members, ", ")+`]`)
		text("url", o.Test)
		text("interval", value.DurationText(o.Interval))
		fields = append(fields, `"tolerance": `+toleranceJSON(o.Tolerance))
	}
	if o.Source != (source.Source{}) {
		text("source", o.Source.String())
	}
	if o.Mark != 0 {
		text("mark", fmt.Sprintf("%#x", o.Mark))
	}
	text("bind_interface", o.Device)
	if o.ConnectTimeout != 0 {
		text("connect_timeout", value.DurationText(o.ConnectTimeout))
	}
	text("fallback", o.Fallback)
	return "{" + strings.Join(fields, ", ") + "}"
}

// passwordText is where a password is, never what it is.
func passwordText(o *outbound.Spec) string {
	if o.PasswordEnv != "" {
		return envPrefix + o.PasswordEnv
	}
	return o.Password.String()
}

// toleranceJSON is a number of milliseconds where that is all.
func toleranceJSON(d time.Duration) string {
	if d%time.Millisecond == 0 {
		return fmt.Sprint(d.Milliseconds())
	}
	return quote(d.String())
}

// outboundChanges says what is different in next, a phrase for each outbound.
func outboundChanges(before, next []outbound.Spec) (phrases []string) {
	tagged := func(all []outbound.Spec, tag string) *outbound.Spec {
		for i := range all {
			if all[i].Tag == tag {
				return &all[i]
			}
		}
		return nil
	}
	for i := range before {
		if o := &before[i]; tagged(next, o.Tag) == nil {
			phrases = append(phrases, fmt.Sprintf("outbound %s is gone", o.Tag))
		}
	}
	for i := range next {
		to := &next[i]
		from := tagged(before, to.Tag)
		switch {
		case from == nil:
			phrases = append(phrases, fmt.Sprintf("new outbound %s: %s", to.Tag, outboundJSON(to)))
		case from.Equal(to):
		case outboundJSON(from) == outboundJSON(to):
			phrases = append(phrases, fmt.Sprintf("outbound %s has another password", to.Tag))
		default:
			phrases = append(phrases, fmt.Sprintf("outbound %s: %s -> %s", to.Tag, outboundJSON(from), outboundJSON(to)))
		}
	}
	if len(phrases) == 0 && len(before) > 0 && before[0].Tag != next[0].Tag {
		phrases = append(phrases, fmt.Sprintf("the first outbound is %s", next[0].Tag))
	}
	return phrases
}
