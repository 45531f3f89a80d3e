package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// newSecret makes a secret that is handed to someone, and the hash of it that is kept: SHA-256, as it is random.
func newSecret() (text string, hash []byte) {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails: it ends the program instead
	text = base64.RawURLEncoding.EncodeToString(raw[:])
	return text, hashSecret(text)
}

// hashSecret is what is kept of a secret.
func hashSecret(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}
