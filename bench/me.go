package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// bareSecret signs the tokens of the bare server.
var bareSecret = []byte("bench")

// bareMe has the JSON fields of mindspace.user.v1.User.
const bareMe = `{"user":{"id":"01980000-0000-7000-8000-00000000a0a0","email":"0@bench.test","displayName":"","locale":"en","timeZone":"UTC",` +
	`"createdAt":"2026-11-30T08:00:00.123456Z","units":"UNITS_METRIC"}}`

// bareToken is a JWT (HS256) of a connection for the bare server; its subject is a UUID.
func bareToken(connection int) string {
	encode := base64.RawURLEncoding.EncodeToString
	payload := fmt.Sprintf(`{"sub":"00000000-0000-4000-8000-%012d","exp":4102444800}`, connection)
	text := encode([]byte(`{"alg":"HS256"}`)) + "." + encode([]byte(payload))
	mac := hmac.New(sha256.New, bareSecret)
	mac.Write([]byte(text))
	return text + "." + encode(mac.Sum(nil))
}

// subject checks a token, each time, as one does without a framework.
func subject(r *http.Request) (string, bool) {
	token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	end := strings.LastIndexByte(token, '.')
	begin := strings.IndexByte(token, '.')
	if !found || end <= begin {
		return "", false
	}
	mac := hmac.New(sha256.New, bareSecret)
	mac.Write([]byte(token[:end]))
	signature, err := base64.RawURLEncoding.DecodeString(token[end+1:])
	if err != nil || !hmac.Equal(signature, mac.Sum(nil)) {
		return "", false
	}
	payload, err := base64.RawURLEncoding.DecodeString(token[begin+1 : end])
	if err != nil {
		return "", false
	}
	var claims struct {
		Subject string `json:"sub"`
		Expires int64  `json:"exp"`
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Expires < time.Now().Unix() {
		return "", false
	}
	return claims.Subject, true
}

// bareProfile answers with what Redis holds, encoded already.
func bareProfile(rdb *redis.Client, w http.ResponseWriter, r *http.Request) {
	who, ok := subject(r)
	if !ok {
		http.Error(w, "unauthenticated", http.StatusUnauthorized)
		return
	}
	encoded, err := rdb.Get(r.Context(), "profile:"+who).Bytes()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(encoded)
}
