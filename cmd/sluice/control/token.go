package control

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// Token is what whoever asks over TCP must know. It shows nowhere.
type Token string

// TokenVariable is where the token may be in the environment.
const TokenVariable = "SLUICE_CONTROL_TOKEN"

// Bounds of a token, in bytes. The least is what cannot be guessed: 16 bytes of
// letters and digits are 95 bits.
const (
	leastToken = 16
	mostToken  = 4096
)

var errNoToken = errors.New("--control-token-file: empty: want a token of 16 bytes or more, as openssl rand -hex 16 makes")

// String hides it.
func (t Token) String() string {
	if t == "" {
		return ""
	}
	return "***"
}

// GoString hides it too.
func (t Token) GoString() string { return t.String() }

// ReadToken takes the token from a file or, without one, from the environment; empty
// where it is in neither. A line's end at the end is no part of it.
func ReadToken(path string) (Token, error) {
	if path == "" {
		text := os.Getenv(TokenVariable)
		if text == "" {
			return "", nil
		}
		t, err := newToken(text)
		if err != nil {
			return "", fmt.Errorf("%s: %w", TokenVariable, err)
		}
		return t, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("--control-token-file: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, mostToken+2))
	if err != nil {
		return "", fmt.Errorf("--control-token-file: %w", err)
	}
	line := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if line == "" {
		return "", errNoToken
	}
	t, err := newToken(line)
	if err != nil {
		return "", fmt.Errorf("--control-token-file %s: %w", path, err)
	}
	return t, nil
}

func newToken(text string) (Token, error) {
	if len(text) < leastToken || len(text) > mostToken {
		return "", fmt.Errorf("want a token of %d to %d bytes, as openssl rand -hex 16 makes", leastToken, mostToken)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errors.New("want a token of printable ASCII without blanks, which a header can carry")
	}
	return Token(text), nil
}

// is tells, in the same time whatever was given, whether that is the token.
func (t Token) is(given string) bool {
	own, other := sha256.Sum256([]byte(t)), sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(own[:], other[:]) == 1
}

// session is what a browser keeps instead of the token: a time and, so that only who
// has the token can make one, a digest of it with the token as key.
func (t Token) session(until time.Time) string {
	seconds := strconv.FormatInt(until.Unix(), 10)
	return seconds + "." + t.sign(seconds)
}

// sessionPurpose tells digests of sessions from others that the token may be the key
// of.
const sessionPurpose = "sluice control session "

func (t Token) sign(seconds string) string {
	mac := hmac.New(sha256.New, []byte(t))
	mac.Write([]byte(sessionPurpose + seconds))
	return hex.EncodeToString(mac.Sum(nil))
}

// isSession tells whether text is a session's that has not ended.
func (t Token) isSession(text string, now time.Time) bool {
	seconds, digest, _ := strings.Cut(text, ".")
	until, err := strconv.ParseInt(seconds, 10, 64)
	return err == nil && now.Unix() < until && hmac.Equal([]byte(digest), []byte(t.sign(seconds)))
}
