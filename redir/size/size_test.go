package size

import (
	"strings"
	"testing"
)

func TestSize(t *testing.T) {
	for text, want := range map[string]string{
		"65536": "64KiB", "64KiB": "64KiB", "1MiB": "1MiB", "1 GiB": "1GiB", "3K": "3KiB", "1000B": "1000", "0": "0",
		"": "!", "-1": "!", "1.5MiB": "!", "x": "!", "99999999999G": "!", "2147483647GiB": "!",
	} {
		var z Bytes
		err := z.UnmarshalText([]byte(text))
		if want == "!" {
			if err == nil || !strings.Contains(err.Error(), "no size") {
				t.Errorf("%q: %v, %v", text, z, err)
			}
			continue
		}
		if err != nil || z.String() != want {
			t.Errorf("%q: %s, %v", text, z, err)
		}
		var again Bytes
		if err := again.UnmarshalText([]byte(z.String())); err != nil || again != z {
			t.Errorf("%q: %s is read as %s, %v", text, z, again, err)
		}
	}
}
