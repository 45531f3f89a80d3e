package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

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

// signIn gives an access token of the program.
func signIn(ctx context.Context, address string) (string, error) {
	return tokenFrom(ctx, address+authv1connect.AuthServiceLoginProcedure, bodyOf(login, 0))
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
