package e2e

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"regexp"
	"strings"
	"testing"
)

var linkToken = regexp.MustCompile(`token=([A-Za-z0-9_%-]+)`)

// decoded is what a reader sees of a letter: its parts, one after the other.
func decoded(raw []byte) string {
	message, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return string(raw)
	}
	kind, parameters, _ := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if !strings.HasPrefix(kind, "multipart/") {
		return readable(message.Body, message.Header.Get("Content-Transfer-Encoding"))
	}
	var text strings.Builder
	parts := multipart.NewReader(message.Body, parameters["boundary"])
	for {
		part, err := parts.NextRawPart()
		if err != nil {
			return text.String()
		}
		text.WriteString(readable(part, part.Header.Get("Content-Transfer-Encoding")))
	}
}

func readable(body io.Reader, encoding string) string {
	if strings.EqualFold(encoding, "quoted-printable") {
		body = quotedprintable.NewReader(body)
	}
	text, _ := io.ReadAll(body)
	return string(text)
}

// needed leaves a test out for want of something on this machine; where everything must be there, it fails.
func needed(t *testing.T, missing string) {
	t.Helper()
	if os.Getenv("MINDSPACE_TEST_STRICT") == "1" {
		t.Fatal(missing)
	}
	t.Skip(missing)
}
