package screen

import (
	"net/netip"
	"net/url"
	"strings"

	"sluice/cmd/sluice/api"
	"sluice/cmd/sluice/view"
)

// parseFilter reads which flows are meant: words, of which all must hold. A word is
// KEY=VALUE with a key of api.Query, or a network, an address or CIDR of a client,
// :PORT or a name of a destination, or held.
func parseFilter(text string) (api.Query, error) {
	values := url.Values{}
	for word := range strings.FieldsSeq(text) {
		key, value, ok := strings.Cut(word, "=")
		if !ok {
			key, value = meaning(word)
		}
		values.Add(key, value)
	}
	for _, key := range []string{"sort", "limit", "after"} { // which keys of their own say
		values.Del(key)
	}
	q, err := api.ParseQuery(values)
	if err == nil {
		_, err = view.NewFilter(q)
	}
	return q, err
}

// meaning is the parameter that a word alone is a value of.
func meaning(word string) (key, value string) {
	switch port, isPort := strings.CutPrefix(word, ":"); {
	case word == "tcp", word == "udp":
		return "network", word
	case word == "held":
		return "held", "true"
	case isPort && !strings.Contains(port, ":"):
		return "port", port
	case isAddress(word):
		return "client", word
	}
	return "destination", word
}

func isAddress(word string) bool {
	if _, err := netip.ParseAddr(word); err == nil {
		return true
	}
	if _, err := netip.ParsePrefix(word); err == nil {
		return true
	}
	_, err := netip.ParseAddrPort(word)
	return err == nil
}
