package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// document is the form in which a keyring is kept: Tink's own JSON of both keysets, in clear. Whoever has it has the keys.
// Keyrings from before keys could be exchanged have no history, and are read as ones whose keys have never changed.
type document struct {
	Demo    bool            `json:"demo"`
	Created time.Time       `json:"created"`
	AEAD    json.RawMessage `json:"aead"`
	PRF     json.RawMessage `json:"prf"`
	history
}

// JSON gives the keyring with its keys in clear, for a file of mode 0600 or a secret store. [Parse] reads it.
func (k *Keyring) JSON() ([]byte, error) {
	current := k.r.state.Load()
	aeadJSON, err := keysetJSON(current.keys)
	if err != nil {
		return nil, fmt.Errorf("secret: write the aead keyset: %w", err)
	}
	prfJSON, err := keysetJSON(k.r.prfKeys)
	if err != nil {
		return nil, fmt.Errorf("secret: write the prf keyset: %w", err)
	}
	out, err := json.Marshal(document{Demo: k.r.demo, Created: k.r.created, AEAD: aeadJSON, PRF: prfJSON, history: current.history})
	if err != nil {
		return nil, fmt.Errorf("secret: write the keyring: %w", err)
	}
	return out, nil
}

// Parse reads a keyring from its JSON, or from base64 of that, in any of the usual alphabets.
// Its errors say what is wrong without quoting the input.
func Parse(data []byte) (*Keyring, error) {
	data = bytes.TrimSpace(data)
	if len(data) == 0 {
		return nil, errors.New("secret: the keyring is empty")
	}
	if data[0] != '{' {
		decoded, ok := decodeBase64(data)
		if !ok || len(decoded) == 0 || decoded[0] != '{' {
			return nil, errors.New("secret: the keyring is neither JSON nor base64 of JSON")
		}
		data = decoded
	}
	// The errors of the JSON packages may quote what they read, and what they read is the key. So none is wrapped here.
	var doc document
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, errors.New("secret: the keyring is not the JSON object that it should be (was it cut off?)")
	}
	switch {
	case len(doc.AEAD) == 0:
		return nil, errors.New(`secret: the keyring has no "aead" keyset`)
	case len(doc.PRF) == 0:
		return nil, errors.New(`secret: the keyring has no "prf" keyset`)
	}
	aeadKeys, err := readKeyset(doc.AEAD)
	if err != nil {
		return nil, fmt.Errorf("secret: the aead keyset %w", err)
	}
	prfKeys, err := readKeyset(doc.PRF)
	if err != nil {
		return nil, fmt.Errorf("secret: the prf keyset %w", err)
	}
	return assemble(doc.Demo, doc.Created, aeadKeys, doc.history, prfKeys)
}

func keysetJSON(h *keyset.Handle) (json.RawMessage, error) {
	var buf bytes.Buffer
	if err := insecurecleartextkeyset.Write(h, keyset.NewJSONWriter(&buf)); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

func readKeyset(data []byte) (*keyset.Handle, error) {
	h, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(data)))
	if err != nil {
		return nil, errors.New("is not a valid Tink keyset")
	}
	return h, nil
}

func decodeBase64(data []byte) ([]byte, bool) {
	text := string(bytes.Join(bytes.Fields(data), nil))
	for _, enc := range []*base64.Encoding{
		base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding,
	} {
		if out, err := enc.DecodeString(text); err == nil {
			return bytes.TrimSpace(out), true
		}
	}
	return nil, false
}
