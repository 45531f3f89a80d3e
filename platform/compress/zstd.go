package compress

import (
	"connectrpc.com/connect/v2"
	"github.com/klauspost/compress/zstd"
)

// zstdWindow is the largest window that is decoded: the 8 MiB that RFC 8878 recommends decoders to support, and no more.
// The decoder allocates the window before it has seen any data.
const zstdWindow = 8 << 20

// zstdEncoderWindow is the window that is encoded with. Messages are short, and an encoder keeps a multiple of it.
const zstdEncoderWindow = 512 << 10

// Zstd is Zstandard ("zstd") at its fastest level. Frames that need a window above 8 MiB are refused.
func Zstd() *Compressor {
	return newCompressor(connect.CompressionNameZstd, newZstdEncoder, newZstdDecoder)
}

func newZstdEncoder() encoder {
	e, err := zstd.NewWriter(nil,
		zstd.WithEncoderConcurrency(1), // no goroutines: an encoder may be dropped without Close
		zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithWindowSize(zstdEncoderWindow),
		zstd.WithLowerEncoderMem(true),
		zstd.WithZeroFrames(true), // an empty message is a frame too, for decoders that insist on one
	)
	if err != nil {
		panic(err) // the options are constant
	}
	return e
}

func newZstdDecoder() decoder {
	d, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(1), // no goroutines: a decoder may be dropped without Close
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(zstdWindow),
		zstd.WithDecoderMaxMemory(zstdWindow),
		// Without this, Reset decodes the whole of a *bytes.Buffer, which is what Connect passes, before the first Read:
		// no limit on what is read would hold.
		zstd.WithDecodeBuffersBelow(0),
	)
	if err != nil {
		panic(err) // the options are constant
	}
	return d
}
