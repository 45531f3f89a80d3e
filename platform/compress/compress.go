// Package compress holds the compressors that Connect does not bring along: Zstandard, Brotli, and a faster gzip.
// Encoders and decoders are pooled, and a decoder's memory is bounded whatever a message claims about itself.
// It never decides what is compressed: connecthttp negotiates that, and limits how large a message may become.
package compress

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"connectrpc.com/connect/v2"
)

// All are the compressors of our servers and clients, the preferred first, for [connecthttp.WithCompressors].
func All() []connect.Compressor {
	return []connect.Compressor{Zstd(), Brotli(), Gzip()}
}

// errClosed is what the caller gets who uses a reader or writer after its Close.
var errClosed = errors.New("compress: use after Close")

// encoder and decoder are what the three libraries have in common.
type (
	encoder interface {
		io.WriteCloser
		Reset(dst io.Writer)
		Flush() error
	}
	decoder interface {
		io.Reader
		Reset(src io.Reader) error
	}
)

// Compressor is a [connect.Compressor] that keeps its encoders and decoders for the next message.
type Compressor struct {
	name     string
	encoders sync.Pool
	decoders sync.Pool
}

func newCompressor(name string, newEncoder func() encoder, newDecoder func() decoder) *Compressor {
	c := &Compressor{name: name}
	c.encoders.New = func() any { return &writer{encoder: newEncoder(), home: &c.encoders} }
	c.decoders.New = func() any { return &reader{decoder: newDecoder(), home: &c.decoders} }
	return c
}

// Name is the token of Content-Encoding.
func (c *Compressor) Name() string { return c.name }

// Compress returns a writer that compresses onto dst. It has a Flush besides; Close makes the message complete.
func (c *Compressor) Compress(dst io.Writer) (io.WriteCloser, error) {
	w := c.encoders.Get().(*writer)
	w.encoder.Reset(dst)
	w.closed = false
	return w, nil
}

// Decompress returns a reader of what src was before it was compressed.
func (c *Compressor) Decompress(src io.Reader) (io.ReadCloser, error) {
	r := c.decoders.Get().(*reader)
	if err := r.decoder.Reset(src); err != nil {
		return nil, fmt.Errorf("compress: open %s: %w", c.name, err)
	}
	r.closed = false
	return r, nil
}

// writer is an encoder that goes home when it is closed; one that failed is dropped.
type writer struct {
	encoder encoder
	home    *sync.Pool
	closed  bool
}

func (w *writer) Write(p []byte) (int, error) {
	if w.closed {
		return 0, errClosed
	}
	return w.encoder.Write(p)
}

// Flush sends what has been written so far.
func (w *writer) Flush() error {
	if w.closed {
		return errClosed
	}
	return w.encoder.Flush()
}

// Close ends the message and gives the encoder back.
func (w *writer) Close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	if err := w.encoder.Close(); err != nil {
		return err
	}
	w.home.Put(w)
	return nil
}

// reader is a decoder that goes home when it is closed; one that failed is dropped.
type reader struct {
	decoder decoder
	home    *sync.Pool
	closed  bool
	failed  bool
}

func (r *reader) Read(p []byte) (int, error) {
	if r.closed {
		return 0, errClosed
	}
	n, err := r.decoder.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // a decoder ends with the bare io.EOF, and a wrapped one is a failure
		r.failed = true
	}
	return n, err
}

// Close gives the decoder back.
func (r *reader) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	if !r.failed {
		r.home.Put(r)
	}
	return nil
}
