package compress

import (
	"errors"
	"io"

	"connectrpc.com/connect/v2"
	"github.com/andybalholm/brotli"
)

const (
	// brotliQuality is the highest that costs no more than a few times what [Gzip] does; from 5 on it compresses better than it, at ten times the cost.
	brotliQuality = 2
	// brotliEncoderWindow is the base-2 logarithm of the window that is encoded with: 256 KiB, as messages are short.
	brotliEncoderWindow = 18
	// brotliWindow is the base-2 logarithm of the largest window that is decoded: 4 MiB, what encoders use unless told otherwise.
	// A decoder keeps its window for the next message.
	brotliWindow = 22
)

var errBrotliWindow = errors.New("brotli: the window is larger than 4 MiB")

// Brotli is Brotli ("br"). Streams that need a window above 4 MiB are refused.
func Brotli() *Compressor {
	return newCompressor(connect.CompressionNameBr, newBrotliEncoder, newBrotliDecoder)
}

func newBrotliEncoder() encoder {
	return brotli.NewWriterOptions(nil, brotli.WriterOptions{Quality: brotliQuality, LGWin: brotliEncoderWindow})
}

func newBrotliDecoder() decoder {
	return &brotliDecoder{reader: brotli.NewReader(nil)}
}

// brotliDecoder refuses a stream by its first byte, which tells the window (RFC 7932, section 9.1).
type brotliDecoder struct {
	reader *brotli.Reader
	src    io.Reader
	begun  bool
}

// Reset begins another message.
func (d *brotliDecoder) Reset(src io.Reader) error {
	d.src, d.begun = src, false
	return d.reader.Reset(headReader{d})
}

func (d *brotliDecoder) Read(p []byte) (int, error) { return d.reader.Read(p) }

// headReader is what the library reads from.
type headReader struct{ d *brotliDecoder }

func (h headReader) Read(p []byte) (int, error) {
	n, err := h.d.src.Read(p)
	if n > 0 && !h.d.begun {
		h.d.begun = true
		if brotliWindowBits(p[0]) > brotliWindow {
			return 0, errBrotliWindow
		}
	}
	return n, err
}

// brotliWindowBits reads the base-2 logarithm of the window from the first byte of a stream.
// The form that is reserved for large windows is left to the library, which refuses it.
func brotliWindowBits(first byte) int {
	if first&1 == 0 {
		return 16
	}
	if n := int(first >> 1 & 7); n != 0 {
		return 17 + n
	}
	if n := int(first >> 4 & 7); n > 1 {
		return 8 + n
	}
	return 17
}
