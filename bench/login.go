package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/alexedwards/argon2id"

	"github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1/authv1connect"
)

// login is a right password; each connection signs in to an account of its own, as people do.
const login = `{"email":"{connection}@bench.test","password":"bench-Password-1","device":"bench"}`

// bareLogin compares a password with a hash, of the same parameters, and does nothing else.
func bareLogin(hash string, w http.ResponseWriter, r *http.Request) {
	var req struct {
		Password string `json:"password"`
	}
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if ok, err := argon2id.ComparePasswordAndHash(req.Password, hash); !ok || err != nil {
		http.Error(w, "wrong", http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte("{}"))
}

// register makes the accounts of all connections.
func register(ctx context.Context, address string, connections int) error {
	for i := range connections {
		if _, err := tokenFrom(ctx, address+authv1connect.AuthServiceRegisterProcedure, bodyOf(login, i)); err != nil {
			return err
		}
	}
	return nil
}

// tokenFresh is how long access tokens are used again; they last longer.
const tokenFresh = 8 * time.Minute

// wallet keeps the access tokens of all connections.
type wallet struct {
	tokens []string
	since  time.Time
}

// signIn gives an access token of the program for each connection.
func (w *wallet) signIn(ctx context.Context, address string, connections int) ([]string, error) {
	if len(w.tokens) == connections && time.Since(w.since) < tokenFresh {
		return w.tokens, nil
	}
	w.tokens, w.since = nil, time.Now()
	for i := range connections {
		token, err := tokenFrom(ctx, address+authv1connect.AuthServiceLoginProcedure, bodyOf(login, i))
		if err != nil {
			return nil, err
		}
		w.tokens = append(w.tokens, token)
	}
	return w.tokens, nil
}

// of gives the tokens that the connections to a server present.
func (w *wallet) of(ctx context.Context, name, address string, connections int) ([]string, error) {
	if name == signedIn {
		return w.signIn(ctx, address, connections)
	}
	tokens := make([]string, connections)
	for i := range tokens {
		if name == "bare" {
			tokens[i] = bareToken(i)
		}
	}
	return tokens, nil
}

// bodyOf is the body that a connection sends.
func bodyOf(body string, connection int) string {
	return strings.ReplaceAll(body, "{connection}", strconv.Itoa(connection))
}

func tokenFrom(ctx context.Context, url, body string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var answer struct {
		Tokens struct {
			AccessToken string `json:"accessToken"`
		} `json:"tokens"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.Tokens.AccessToken == "" {
		return "", fmt.Errorf("ask for a token: status %d, %w", res.StatusCode, err)
	}
	return answer.Tokens.AccessToken, nil
}
