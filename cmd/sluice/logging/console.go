package logging

import (
	"io"

	"github.com/rs/zerolog"

	"sluice/redir/quote"
)

// consoleWriter writes lines for people.
func consoleWriter(out io.Writer, noColor bool) zerolog.ConsoleWriter {
	return zerolog.ConsoleWriter{Out: out, TimeFormat: "15:04:05.000", NoColor: noColor, FormatPrepare: quoteTexts}
}

// quoteTexts quotes what the library shows as it is: a message, and most of a list,
// which may name rules of others. Texts of fields it quotes by itself.
func quoteTexts(line map[string]any) error {
	if message, ok := line[zerolog.MessageFieldName].(string); ok {
		line[zerolog.MessageFieldName] = quote.Line(message)
	}
	for _, field := range line {
		list, _ := field.([]any)
		for i, item := range list {
			if text, ok := item.(string); ok {
				list[i] = quote.Line(text)
			}
		}
	}
	return nil
}
