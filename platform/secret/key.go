package secret

import (
	"fmt"
	"io"
	"log/slog"
)

// Key is a derived subkey of 32 bytes. Take its bytes with k[:]; every way of printing it gives a placeholder.
type Key [keySize]byte

const keyPlaceholder = "secret.Key[redacted]"

// String gives a placeholder.
func (Key) String() string { return keyPlaceholder }

// GoString gives a placeholder.
func (Key) GoString() string { return keyPlaceholder }

// Format writes a placeholder, whatever the verb: %d and %x would otherwise print the bytes.
func (Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, keyPlaceholder) }

// LogValue gives a placeholder.
func (Key) LogValue() slog.Value { return slog.StringValue(keyPlaceholder) }

// MarshalText gives a placeholder, which is also what JSON encoders then write.
func (Key) MarshalText() ([]byte, error) { return []byte(keyPlaceholder), nil }
