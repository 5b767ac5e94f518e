package service

import (
	"os"
	"strings"
	"testing"
)

func TestFindAccount(t *testing.T) {
	for name, want := range map[string]string{
		"no-such-user": "no such user", "4294967000": "no such user", "root": "",
	} {
		if name == "root" && os.Geteuid() != 0 {
			want = "only root"
		}
		a, err := FindAccount(name)
		if want == "" && err == nil && a.uid == 0 {
			continue
		}
		if err == nil || want == "" || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %+v, %v, want %q", name, a, err, want)
		}
	}
}
