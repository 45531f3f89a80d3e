package user

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/tink-crypto/tink-go/v2/streamingaead/subtle"
	"gocloud.dev/blob"

	"github.com/mindspace-app/mindspace/gen/db/userdb"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/personal"
	"github.com/mindspace-app/mindspace/platform/uid"
)

const (
	// exportLife is how long an export can be fetched: long enough for somebody who is away for some days, short enough that copies of
	// everything do not pile up.
	exportLife = 7 * 24 * time.Hour
	// exportSegment is how much of a file is encrypted, and checked before it is handed out, at once.
	exportSegment = 64 << 10
)

// Exports makes the files of exports, hands them to their owners, and removes them.
type Exports struct {
	Options
	registry *personal.Registry
}

// NewExports returns what makes exports of everything that the registry knows of.
func NewExports(s *Service, registry *personal.Registry) *Exports {
	return &Exports{Options: s.Options, registry: registry}
}

// Build makes the file of an export that is pending, and does nothing for any other. It may run again, and twice at once: each run writes a file
// of its own, and the one that ends first stays. Nothing stays when the export, or the person, is gone by then.
func (e *Exports) Build(ctx context.Context, person, export uuid.UUID) error {
	row, err := getExport(ctx, userdb.New(e.Pool), person, export)
	if fault.KindOf(err) == fault.KindNotFound || err == nil && row.State != "pending" {
		return nil
	}
	if err != nil {
		return err
	}
	attempt, err := uid.New()
	if err != nil {
		return err
	}
	key, name := make([]byte, 32), exportFile(person, export)+attempt.String()
	if _, err := rand.Read(key); err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	size, err := e.write(ctx, name, key, person, export)
	if err != nil {
		return err
	}
	sealed, err := e.Keys.Seal(key, exportKeyBound(person, export))
	if err != nil {
		return errors.Join(fmt.Errorf("seal the key of an export: %w", err), e.dropExportFile(ctx, name))
	}
	now := e.now()
	n, err := userdb.New(e.Pool).FinishExport(ctx, userdb.FinishExportParams{
		UserID: person, ID: export, ReadyAt: now, ExpiresAt: now.Add(exportLife), BlobKey: name, SealedKey: sealed, SizeBytes: size,
	})
	if err != nil {
		// The row may have been written all the same, so the file stays: the next attempt, or the end of the export, removes it.
		return fmt.Errorf("finish export: %w", err)
	}
	if n == 0 {
		return e.dropExportFile(ctx, name)
	}
	return e.dropExportFiles(ctx, person, export, name)
}

// Fail ends an export that could not be made, after the last attempt. It changes no other.
func (e *Exports) Fail(ctx context.Context, person, export uuid.UUID) error {
	return e.failExport(ctx, person, export)
}

// write writes the encrypted file and tells its size before encryption. After an error there is no file, not even a part of it.
func (e *Exports) write(ctx context.Context, name string, key []byte, person, export uuid.UUID) (int64, error) {
	cipher, err := exportCipher(key)
	if err != nil {
		return 0, err
	}
	writing, abort := context.WithCancel(ctx)
	defer abort()
	file, err := e.Blobs.NewWriter(writing, name, &blob.WriterOptions{ContentType: "application/octet-stream"})
	if err != nil {
		return 0, fmt.Errorf("write export: %w", err)
	}
	size, err := e.encrypt(ctx, file, cipher, person, export)
	if err != nil {
		abort() // a writer whose context has ended leaves nothing
		_ = file.Close()
		return 0, err
	}
	if err := file.Close(); err != nil {
		return 0, fmt.Errorf("write export: %w", err)
	}
	return size, nil
}

func (e *Exports) encrypt(ctx context.Context, file io.Writer, cipher *subtle.AESGCMHKDF, person, export uuid.UUID) (int64, error) {
	sealed, err := cipher.NewEncryptingWriter(file, export[:])
	if err != nil {
		return 0, fmt.Errorf("encrypt export: %w", err)
	}
	counted := &counter{to: sealed}
	if err := e.registry.Export(ctx, e.Pool, person, e.now(), counted); err != nil {
		return 0, err
	}
	if err := sealed.Close(); err != nil {
		return 0, fmt.Errorf("encrypt export: %w", err)
	}
	return counted.n, nil
}

// exportCipher encrypts the file of one export: AES-256-GCM by segments, under keys that HKDF derives from the export's own. The id of the
// export is bound to it, so that no file passes for another; a file that was cut short does not open to its end.
func exportCipher(key []byte) (*subtle.AESGCMHKDF, error) {
	cipher, err := subtle.NewAESGCMHKDF(key, "SHA256", 32, exportSegment, 0)
	if err != nil {
		return nil, fmt.Errorf("cipher of an export: %w", err)
	}
	return cipher, nil
}

// counter counts what passes through.
type counter struct {
	to io.Writer
	n  int64
}

// Write passes on.
func (c *counter) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.n += int64(n)
	return n, err
}

// exportFiles is what the names of all files of a person's exports begin with, exportFile those of one export. There is no folder for each
// person: a blob store that is one on disk would keep it, and the id in its name, when it is empty.
func exportFiles(person uuid.UUID) string { return "exports/" + person.String() + "." }

func exportFile(person, export uuid.UUID) string {
	return exportFiles(person) + export.String() + "."
}
