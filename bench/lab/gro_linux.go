package lab

import (
	"fmt"

	"github.com/safchain/ethtool"
)

const featureGRO = "rx-gro" // as ethtool -k names it

// SetGRO does what `ethtool -K LINK gro on|off` does.
func (ns *Namespace) SetGRO(link string, on bool) error {
	return ns.ethtool(link, func(e *ethtool.Ethtool) error { return e.Change(link, map[string]bool{featureGRO: on}) })
}

// GRO tells whether a link merges what it receives.
func (ns *Namespace) GRO(link string) (on bool, err error) {
	err = ns.ethtool(link, func(e *ethtool.Ethtool) error {
		features, err := e.Features(link)
		on = features[featureGRO]
		return err
	})
	return on, err
}

func (ns *Namespace) ethtool(link string, do func(*ethtool.Ethtool) error) error {
	return ns.Do(func() error {
		e, err := ethtool.NewEthtool()
		if err != nil {
			return err
		}
		defer e.Close()
		if err := do(e); err != nil {
			return fmt.Errorf("%s: gro of %s: %w", ns.Name, link, err)
		}
		return nil
	})
}
