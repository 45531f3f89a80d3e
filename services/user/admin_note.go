package user

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mindspace-app/mindspace/gen/db/userdb"
	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/platform/audit"
	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// AddNote keeps a note about a person. Faults: Invalid (userId), NotFound, Denied (STAFF_ACCOUNT).
func (a *Admin) AddNote(ctx context.Context, req *userv1.AddNoteRequest) (*userv1.AddNoteResponse, error) {
	person, err := uid.Parse("userId", req.GetUserId())
	if err != nil {
		return nil, err
	}
	if err := a.mayActOn(ctx, person); err != nil {
		return nil, err
	}
	author, row := identity.CallerFrom(ctx).UserID, userdb.InsertNoteParams{UserID: person, Text: req.GetText(), CreatedAt: a.now()}
	row.AuthorID = &author
	if row.ID, err = uid.New(); err != nil {
		return nil, err
	}
	note := noteMessage(userdb.UsersNote(row))
	err = postgres.InTx(ctx, a.Pool, func(tx pgx.Tx) error {
		if err := userdb.New(tx).InsertNote(ctx, row); err != nil {
			return fmt.Errorf("insert note: %w", err)
		}
		return a.audit.Record(ctx, tx, audit.Entry{Action: "user.note.added", SubjectType: "note", SubjectID: note.GetId(), Person: person, After: note})
	})
	if err != nil {
		return nil, err
	}
	return &userv1.AddNoteResponse{Note: note}, nil
}

// ListNotes returns the notes about a person, newest first. Faults: Invalid (userId, pageToken), NotFound, Denied (STAFF_ACCOUNT).
func (a *Admin) ListNotes(ctx context.Context, req *userv1.ListNotesRequest) (*userv1.ListNotesResponse, error) {
	person, err := uid.Parse("userId", req.GetUserId())
	if err != nil {
		return nil, err
	}
	if err := a.mayActOn(ctx, person); err != nil {
		return nil, err
	}
	scope, before, size := "ListNotes|"+person.String(), uuid.Max, cursor.PageSize(req.GetPageSize())
	if err := a.Cursors.Resume(scope, req.GetPageToken(), &before); err != nil {
		return nil, err
	}
	rows, err := userdb.New(a.Pool).ListNotes(ctx, userdb.ListNotesParams{UserID: person, BeforeID: before, PageSize: size + 1})
	if err != nil {
		return nil, fmt.Errorf("list notes: %w", err)
	}
	res := &userv1.ListNotesResponse{}
	rows, res.NextPageToken, err = cursor.Cut(a.Cursors, scope, rows, size, func(last userdb.UsersNote) any { return last.ID })
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		res.Notes = append(res.Notes, noteMessage(row))
	}
	return res, nil
}

// RemoveNote removes a note. Faults: Invalid (userId, noteId), NotFound, Denied (STAFF_ACCOUNT).
func (a *Admin) RemoveNote(ctx context.Context, req *userv1.RemoveNoteRequest) (*userv1.RemoveNoteResponse, error) {
	person, err := uid.Parse("userId", req.GetUserId())
	if err != nil {
		return nil, err
	}
	id, err := uid.Parse("noteId", req.GetNoteId())
	if err != nil {
		return nil, err
	}
	if err := a.mayActOn(ctx, person); err != nil {
		return nil, err
	}
	err = postgres.InTx(ctx, a.Pool, func(tx pgx.Tx) error {
		row, err := userdb.New(tx).DeleteNote(ctx, userdb.DeleteNoteParams{UserID: person, ID: id})
		if errors.Is(err, pgx.ErrNoRows) {
			return fault.NotFound("there is no note %s about this person", id)
		}
		if err != nil {
			return fmt.Errorf("delete note: %w", err)
		}
		return a.audit.Record(ctx, tx, audit.Entry{Action: "user.note.removed", SubjectType: "note", SubjectID: id.String(), Person: person, Before: noteMessage(row)})
	})
	if err != nil {
		return nil, err
	}
	return &userv1.RemoveNoteResponse{}, nil
}

func noteMessage(row userdb.UsersNote) *userv1.Note {
	note := &userv1.Note{Id: row.ID.String(), Text: row.Text, CreatedAt: timestamppb.New(row.CreatedAt)}
	if row.AuthorID != nil {
		note.AuthorId = row.AuthorID.String()
	}
	return note
}
