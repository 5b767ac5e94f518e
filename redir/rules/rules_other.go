//go:build !linux

package rules

import (
	"context"
	"errors"
	"net/netip"
)

var errLinux = errors.New("rules: transparent proxying needs Linux")

// Installed exists on Linux alone.
type Installed struct{}

// Install needs Linux.
func Install(Spec) (*Installed, error) { return nil, errLinux }

// Apply needs Linux.
func Apply(Spec) ([]Sysctl, error) { return nil, errLinux }

// Remove needs Linux.
func Remove() ([]string, error) { return nil, errLinux }

// ReadStatus needs Linux.
func ReadStatus() (Status, error) { return Status{}, errLinux }

// JudgeRouting needs Linux.
func JudgeRouting(Diverted) ([]Fault, error) { return nil, errLinux }

// IsLocal needs Linux.
func IsLocal(netip.Addr) bool { return false }

// Unmet needs Linux.
func (*Installed) Unmet() []Sysctl { return nil }

// Replace needs Linux.
func (*Installed) Replace(Spec) error { return errLinux }

// Watch needs Linux.
func (*Installed) Watch(context.Context, func(Repair, error)) error { return errLinux }

// Close needs Linux.
func (*Installed) Close() error { return errLinux }

// Unowned needs Linux.
func (*Installed) Unowned() string { return errLinux.Error() }

// Leave needs Linux.
func (*Installed) Leave() error { return errLinux }

// Hold needs Linux.
func (*Installed) Hold(context.Context) error { return errLinux }

// TryOwning needs Linux.
func TryOwning() error { return errLinux }
