package outbound

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Secret is a text that shows nowhere.
type Secret string

// Hidden is what shows instead of a secret.
const Hidden = "***"

// String hides it.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return Hidden
}

// GoString hides it too.
func (s Secret) GoString() string { return s.String() }

// mostSecret bounds a file that holds a password, in bytes: more than any proxy
// takes.
const mostSecret = 4096

// ReadPassword is the password itself, wherever the spec says that it is.
func (s *Spec) ReadPassword() (Secret, error) {
	switch {
	case s.PasswordFile != "":
		return readSecret(s.PasswordFile)
	case s.PasswordEnv != "":
		text, ok := os.LookupEnv(s.PasswordEnv)
		if !ok {
			return "", fmt.Errorf("the environment has no %s: set it where sluice is started, as with Environment= or EnvironmentFile= of its service", s.PasswordEnv)
		}
		return Secret(text), nil
	}
	return s.Password, nil
}

// readSecret reads a file, of which a line's end at its end is no part.
func readSecret(path string) (Secret, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, mostSecret+1))
	if err != nil {
		return "", err
	}
	if len(text) > mostSecret {
		return "", fmt.Errorf("%s: more than %d bytes: no password", path, mostSecret)
	}
	line := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if line == "" {
		return "", fmt.Errorf("%s: %w", path, errNoPassword)
	}
	return Secret(line), nil
}

var errNoPassword = errors.New("empty: want a line with the password")
