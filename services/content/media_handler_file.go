package content

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/mindspace-app/mindspace/gen/db/contentdb"
	"github.com/mindspace-app/mindspace/platform/fault"
)

// soundFile reads a sound from the blob store. Its size is known before: the store is asked with the first Read only, so never for an answer without bytes.
type soundFile struct {
	open func(offset int64) (*blob.Reader, error)
	size int64

	mu     sync.Mutex // http.ServeContent reads several ranges in a goroutine that may outlast it
	offset int64
	reader *blob.Reader // at offset; nil when nothing is open
	err    error        // why it cannot be read, from then on
}

func newSoundFile(ctx context.Context, blobs *blob.Bucket, m contentdb.ContentMedium) *soundFile {
	return &soundFile{size: m.SizeBytes, open: func(offset int64) (*blob.Reader, error) { return openSound(ctx, blobs, m, offset) }}
}

// openSound opens a sound from an offset on. Fault: NotFound when it is gone.
func openSound(ctx context.Context, blobs *blob.Bucket, m contentdb.ContentMedium, offset int64) (*blob.Reader, error) {
	reader, err := blobs.NewRangeReader(ctx, m.BlobKey, offset, -1, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, fault.NotFound("the file of sound %s is gone", m.ID)
	}
	if err != nil {
		return nil, fmt.Errorf("open sound: %w", err)
	}
	if reader.Size() != m.SizeBytes { // it would be kept by caches as what it is not
		_ = reader.Close()
		return nil, fmt.Errorf("the file of sound %s has %d bytes, and should have %d", m.ID, reader.Size(), m.SizeBytes)
	}
	return reader, nil
}

// Read implements [io.Reader].
func (f *soundFile) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return 0, f.err
	}
	if f.offset >= f.size {
		return 0, io.EOF
	}
	if f.reader == nil {
		reader, err := f.open(f.offset)
		if err != nil {
			f.err = err
			return 0, err
		}
		f.reader = reader
	}
	n, err := f.reader.Read(p)
	f.offset += int64(n)
	switch {
	case err == nil || errors.Is(err, io.EOF) && f.offset == f.size:
		return n, err
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	f.err = fmt.Errorf("read sound: %w", err)
	return n, f.err
}

// Seek implements [io.Seeker]. It opens nothing.
func (f *soundFile) Seek(offset int64, whence int) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch whence {
	case io.SeekCurrent:
		offset += f.offset
	case io.SeekEnd:
		offset += f.size
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek sound: %w", fs.ErrInvalid)
	}
	if offset != f.offset {
		f.close()
	}
	f.offset = offset
	return offset, nil
}

// end closes the file; nothing is read any more. It gives the error that kept it from being read, if one did.
func (f *soundFile) end() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.close()
	err := f.err
	f.err = fs.ErrClosed
	return err
}

func (f *soundFile) close() {
	if f.reader != nil {
		_ = f.reader.Close()
		f.reader = nil
	}
}
