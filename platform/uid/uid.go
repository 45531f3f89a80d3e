// Package uid makes ids and reads those of requests. Every id of ours is a UUID; those that we make begin with the time (version 7), so that
// what is made later comes later.
package uid

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/platform/fault"
)

// New makes an id. It fails only where there is no randomness to be had.
func New() (uuid.UUID, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return uuid.Nil, fmt.Errorf("make an id: %w", err)
	}
	return id, nil
}

// Text writes an id as requests and answers have it: empty for none.
func Text(id *uuid.UUID) string {
	if id == nil {
		return ""
	}
	return id.String()
}

// Set gives ids in their order, each once.
func Set(ids []uuid.UUID) []uuid.UUID {
	return slices.Compact(slices.SortedFunc(slices.Values(ids), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }))
}

// Parse reads the id in a field of a request, by the field's path in JSON names. Fault: Invalid, naming the field.
func Parse(field, text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil {
		return uuid.Nil, fault.Invalid("%s must be a UUID", field).WithField(field, "must be a UUID")
	}
	return id, nil
}
