package compress

import (
	"io"

	"connectrpc.com/connect/v2"
	"github.com/klauspost/compress/gzip"
)

// Gzip is gzip ("gzip"), as connectgzip has it, by an encoder that compresses as well for less than half of the time.
func Gzip() *Compressor {
	return newCompressor(connect.CompressionNameGzip, newGzipEncoder, newGzipDecoder)
}

func newGzipEncoder() encoder { return gzip.NewWriter(io.Discard) }

func newGzipDecoder() decoder { return new(gzip.Reader) }
