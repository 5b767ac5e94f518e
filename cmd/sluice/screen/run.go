package screen

import (
	"context"
	"errors"

	tea "charm.land/bubbletea/v2"
)

// Run shows source on the terminal until the operator quits or ctx is done.
func Run(ctx context.Context, source Source, look Look) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_, err := tea.NewProgram(New(ctx, source, look), tea.WithContext(ctx), tea.WithFPS(framesPerSecond)).Run()
	if errors.Is(err, tea.ErrInterrupted) || ctx.Err() != nil {
		return nil
	}
	return err
}

// framesPerSecond bounds how often the terminal is written to: keys show at once to
// the eye, and a slow line is not filled.
const framesPerSecond = 20
