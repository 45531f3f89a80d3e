package content_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
)

const (
	isDraft     = contentv1.RevisionState_REVISION_STATE_DRAFT
	isInReview  = contentv1.RevisionState_REVISION_STATE_IN_REVIEW
	isScheduled = contentv1.RevisionState_REVISION_STATE_SCHEDULED
	isPublished = contentv1.RevisionState_REVISION_STATE_PUBLISHED
	isArchived  = contentv1.RevisionState_REVISION_STATE_ARCHIVED
)

// inState makes a revision of a new meditation and brings it into a state.
func (d *desk) inState(state contentv1.RevisionState) (*contentv1.Item, *contentv1.Revision) {
	d.t.Helper()
	it := d.meditation(uuid.NewString(), "")
	r := d.draft(it, "en", "Rest")
	move := func(method string) {
		d.t.Helper()
		if err := revisionCalls[method](d.t.Context(), d.edits, r.GetId(), r.GetVersion(), d.Clock.Now().Add(time.Hour)); err != nil {
			d.t.Fatal(err)
		}
		r = d.revision(it, r.GetId())
	}
	switch state {
	case isInReview:
		move("SubmitForReview")
	case isScheduled:
		move("SubmitForReview")
		move("ScheduleRevision")
	case isPublished:
		move("SubmitForReview")
		move("PublishRevision")
	case isArchived:
		move("DiscardDraft")
	default:
	}
	if r.GetState() != state {
		d.t.Fatalf("%v, want %v", r, state)
	}
	return it, r
}

// revision reads a revision of an item as it is.
func (d *desk) revision(it *contentv1.Item, id string) *contentv1.Revision {
	d.t.Helper()
	res, err := d.edits.ListRevisions(d.t.Context(), &contentv1.ListRevisionsRequest{Kind: it.GetKind(), ItemId: it.GetId(), PageSize: 100})
	if err != nil {
		d.t.Fatal(err)
	}
	for _, r := range res.GetRevisions() {
		if r.GetId() == id {
			return r
		}
	}
	d.t.Fatalf("there is no revision %s", id)
	return nil
}

// Every method from every state: what is allowed leads where it should, and what is not names the state and changes nothing.
func TestTransitions(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	type step struct{ from, to contentv1.RevisionState }
	allowed := map[string]step{
		"DiscardDraft":     {isDraft, isArchived},
		"SubmitForReview":  {isDraft, isInReview},
		"ReturnToDraft":    {isInReview, isDraft},
		"PublishRevision":  {isInReview, isPublished},
		"ScheduleRevision": {isInReview, isScheduled},
		"CancelSchedule":   {isScheduled, isInReview},
		"ArchiveText":      {isPublished, isArchived},
		"RestoreRevision":  {isArchived, isArchived}, // it makes another one
	}
	for method, call := range revisionCalls {
		for _, from := range []contentv1.RevisionState{isDraft, isInReview, isScheduled, isPublished, isArchived} {
			it, r := d.inState(from)
			reason := "REVISION_" + strings.TrimPrefix(from.String(), "REVISION_STATE_")
			what := method + " of " + reason
			if method != "RestoreRevision" && allowed[method].from == from {
				d.refused(what+" in an old version", call(t.Context(), d.edits, r.GetId(), r.GetVersion()+1, d.Clock.Now().Add(time.Hour)), connect.CodeAborted, "REVISION_CHANGED")
			}
			err := call(t.Context(), d.edits, r.GetId(), r.GetVersion(), d.Clock.Now().Add(time.Hour))
			after := d.revision(it, r.GetId())
			if allowed[method].from == from {
				if err != nil || after.GetState() != allowed[method].to {
					t.Errorf("%s: %v, %v", what, after, err)
				}
				continue
			}
			d.refused(what, err, connect.CodeFailedPrecondition, reason)
			if after.GetState() != from || after.GetVersion() != r.GetVersion() {
				t.Errorf("%s: %v", what, after)
			}
		}
	}
	for _, from := range []contentv1.RevisionState{isInReview, isScheduled} { // those who are open, and not to be written
		it, r := d.inState(from)
		_, err := d.edits.SaveDraft(t.Context(), &savedDraft{Kind: aMeditation, ItemId: it.GetId(), Locale: "en", Title: "Other", Description: "Other.", Version: r.GetVersion()})
		d.refused("save", err, connect.CodeFailedPrecondition, "REVISION_"+strings.TrimPrefix(from.String(), "REVISION_STATE_"))
		if after := d.revision(it, r.GetId()); after.GetTitle() != "Rest" {
			t.Errorf("saved: %v", after)
		}
	}
}

func TestDraftsAreSaved(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	it := d.meditation("rest", "")
	other := d.Staff("other@example.org", "editor", "nutritionist")
	req := &savedDraft{Kind: aMeditation, ItemId: it.GetId(), Locale: "sr", Title: "Odmor Ž", Description: "Lezi.", MediaId: d.mediaIDs[1]}
	first, err := d.edits.SaveDraft(t.Context(), req)
	r := first.GetRevision()
	if err != nil || r.GetState() != isDraft || r.GetNumber() != 1 || r.GetVersion() != 1 || r.GetTitle() != "Odmor Ž" || r.GetDescription() != "Lezi." || r.GetMediaId() != d.mediaIDs[1] ||
		r.GetAuthorId() != d.editor.ID.String() || r.GetReviewerId() != "" || r.GetPublisherId() != "" || !r.GetCreatedAt().AsTime().Equal(d.Clock.Now()) || r.GetPublishedAt() != nil {
		t.Fatalf("made: %v, %v", first, err)
	}
	_, err = d.edits.SaveDraft(t.Context(), req)
	d.refused("as if there were none", err, connect.CodeAborted, "REVISION_CHANGED")
	d.Clock.Advance(time.Minute)
	req.Version, req.Title, req.MediaId = 1, "Odmor", ""
	second, err := d.as(other).SaveDraft(t.Context(), req)
	r = second.GetRevision()
	if err != nil || r.GetId() != first.GetRevision().GetId() || r.GetVersion() != 2 || r.GetTitle() != "Odmor" || r.GetMediaId() != "" || r.GetAuthorId() != other.ID.String() ||
		!r.GetUpdatedAt().AsTime().Equal(d.Clock.Now()) || r.GetNumber() != 1 {
		t.Errorf("changed: %v, %v", second, err)
	}
	_, err = d.edits.SaveDraft(t.Context(), req)
	d.refused("an old version", err, connect.CodeAborted, "REVISION_CHANGED")
	req.Locale = "en"
	_, err = d.edits.SaveDraft(t.Context(), req)
	d.refused("a version of nothing", err, connect.CodeAborted, "REVISION_CHANGED")
	d.same("nothing is published", d.listed("sr"))
}

func TestBadDraft(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	it, course := d.meditation("rest", ""), d.course("nights")
	for name, test := range map[string]struct {
		field  string
		change func(*savedDraft)
	}{
		"no kind":                     {"kind", func(r *savedDraft) { r.Kind = 0 }},
		"unknown kind":                {"kind", func(r *savedDraft) { r.Kind = 7 }},
		"no language":                 {"locale", func(r *savedDraft) { r.Locale = "" }},
		"another language":            {"locale", func(r *savedDraft) { r.Locale = "de" }},
		"no title":                    {"title", func(r *savedDraft) { r.Title = "" }},
		"a long title":                {"title", func(r *savedDraft) { r.Title = strings.Repeat("Ж", 81) }},
		"a blank title":               {"title", func(r *savedDraft) { r.Title = "  " }},
		"a title that begins blank":   {"title", func(r *savedDraft) { r.Title = "\u00a0Rest" }},
		"a title of two lines":        {"title", func(r *savedDraft) { r.Title = "Rest\nnow" }},
		"a title that runs backwards": {"title", func(r *savedDraft) { r.Title = "Rest \u202e now" }},
		"NUL":                         {"title", func(r *savedDraft) { r.Title = "Re\x00st" }},
		"no description":              {"description", func(r *savedDraft) { r.Description = "" }},
		"a long description":          {"description", func(r *savedDraft) { r.Description = strings.Repeat("Ж", 601) }},
		"a tab":                       {"description", func(r *savedDraft) { r.Description = "Lie\tdown" }},
		"no sound's id":               {"mediaId", func(r *savedDraft) { r.MediaId = "x" }},
		"unknown sound":               {"mediaId", func(r *savedDraft) { r.MediaId = uuid.NewString() }},
		"a sound of a course": {"mediaId", func(r *savedDraft) {
			r.Kind, r.ItemId, r.MediaId = aCourse, course.GetId(), d.mediaIDs[0]
		}},
		"a negative version": {"version", func(r *savedDraft) { r.Version = -1 }},
	} {
		req := &savedDraft{Kind: aMeditation, ItemId: it.GetId(), Locale: "en", Title: "Rest", Description: "Lie down."}
		test.change(req)
		_, err := d.edits.SaveDraft(t.Context(), req)
		d.refused(name, err, connect.CodeInvalidArgument, test.field)
	}
	for _, text := range []string{"R", "Rest 🧘‍♀️", "«Тишина» — это", strings.Repeat("Ж", 80)} {
		it := d.meditation(uuid.NewString(), "")
		if _, err := d.edits.SaveDraft(t.Context(), &savedDraft{Kind: aMeditation, ItemId: it.GetId(), Locale: "en", Title: text, Description: text}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	_, err := d.edits.SaveDraft(t.Context(), &savedDraft{Kind: aCourse, ItemId: it.GetId(), Locale: "en", Title: "Rest", Description: "x"})
	d.refused("a meditation as a course", err, connect.CodeNotFound, "ITEM_NOT_FOUND")
}

// History is numbered by language, listed newest first, and can be had back.
func TestHistory(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	it := d.meditation("rest", "")
	first := d.publish(it, "en", "One")
	d.publish(it, "ru", "Один")
	d.publish(it, "en", "Two")
	d.draft(it, "en", "Three")
	list := func(language string, size int32) (all []string) {
		t.Helper()
		for token, pages := "", 0; pages == 0 || token != ""; pages++ {
			res, err := d.edits.ListRevisions(t.Context(), &contentv1.ListRevisionsRequest{Kind: aMeditation, ItemId: it.GetId(), Locale: language, PageSize: size, PageToken: token})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range res.GetRevisions() {
				all = append(all, fmt.Sprintf("%s %d %s", r.GetLocale(), r.GetNumber(), strings.TrimPrefix(r.GetState().String(), "REVISION_STATE_")))
			}
			token = res.GetNextPageToken()
		}
		return all
	}
	want := []string{"en 3 DRAFT", "en 2 PUBLISHED", "ru 1 PUBLISHED", "en 1 ARCHIVED"}
	d.same("all", list("", 0), want...)
	d.same("one a page", list("", 1), want...)
	d.same("one language", list("en", 2), want[0], want[1], want[3])
	page, err := d.edits.ListRevisions(t.Context(), &contentv1.ListRevisionsRequest{Kind: aMeditation, ItemId: it.GetId(), PageSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	for field, req := range map[string]*contentv1.ListRevisionsRequest{
		"kind":      {ItemId: it.GetId()},
		"locale":    {Kind: aMeditation, ItemId: it.GetId(), Locale: "de"},
		"pageSize":  {Kind: aMeditation, ItemId: it.GetId(), PageSize: 101},
		"pageToken": {Kind: aMeditation, ItemId: it.GetId(), Locale: "en", PageToken: page.GetNextPageToken()},
	} {
		_, err := d.edits.ListRevisions(t.Context(), req)
		d.refused(field, err, connect.CodeInvalidArgument, field)
	}
	_, err = d.edits.RestoreRevision(t.Context(), &contentv1.RestoreRevisionRequest{RevisionId: first.GetId()})
	d.refused("restore beside a draft", err, connect.CodeFailedPrecondition, "REVISION_OPEN")
	open := d.item(it).GetTexts()[0].GetOpen()
	if err := revisionCalls["DiscardDraft"](t.Context(), d.edits, open.GetId(), open.GetVersion(), time.Time{}); err != nil {
		t.Fatal(err)
	}
	res, err := d.edits.RestoreRevision(t.Context(), &contentv1.RestoreRevisionRequest{RevisionId: first.GetId()})
	if r := res.GetRevision(); err != nil || r.GetNumber() != 4 || r.GetState() != isDraft || r.GetTitle() != "One" || r.GetDescription() != "About One." || r.GetVersion() != 1 {
		t.Errorf("restored: %v, %v", res, err)
	}
	if old := d.revision(it, first.GetId()); old.GetState() != isArchived || old.GetPublishedAt() == nil {
		t.Errorf("the old one: %v", old)
	}
	d.same("readers see", d.listed("en"), "Two")
}

// rounds is how often a race is run.
const rounds = 25

// race calls both at once, and gives their errors.
func race(one, other func() error) (first, second error) {
	var wait sync.WaitGroup
	start := make(chan struct{})
	wait.Go(func() { <-start; first = one() })
	wait.Go(func() { <-start; second = other() })
	close(start)
	wait.Wait()
	return first, second
}

// wonBy tells which of two calls succeeded, 0 or 1; the other one was refused with one of the codes.
func wonBy(t *testing.T, first, second error, codes ...connect.Code) int {
	t.Helper()
	switch {
	case first == nil && slices.Contains(codes, connect.CodeOf(second)):
		return 0
	case second == nil && slices.Contains(codes, connect.CodeOf(first)):
		return 1
	}
	t.Fatalf("one of two was to succeed, the other one to be refused: %v, %v", first, second)
	return 0
}

// Of two editors who save the same version one wins, and the other one is told.
func TestTwoEditorsAtOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	other := d.as(d.Staff("other@example.org", "editor"))
	it := d.meditation("rest", "")
	for version := range int32(rounds) { // the first round makes it
		save := func(c adminClient, title string) func() error {
			return func() error {
				_, err := c.SaveDraft(t.Context(), &savedDraft{Kind: aMeditation, ItemId: it.GetId(), Locale: "en", Title: title, Description: "x", Version: version})
				return err
			}
		}
		first, second := race(save(d.edits, "mine"), save(other, "theirs"))
		want := []string{"mine", "theirs"}[wonBy(t, first, second, connect.CodeAborted)]
		if r := d.item(it).GetTexts()[0].GetOpen(); r.GetTitle() != want || r.GetVersion() != version+1 || r.GetNumber() != 1 {
			t.Fatalf("round %d: %v, want %s", version, r, want)
		}
	}
}
