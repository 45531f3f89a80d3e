package sound

import (
	"bytes"
	"crypto/md5" //nolint:gosec // FLAC's own checksum of the samples, which the format asks for; it guards nothing
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"

	"github.com/mewkiz/flac"
	"github.com/mewkiz/flac/frame"
	"github.com/mewkiz/flac/meta"
)

const (
	bitsPerSample = 16
	// blockSize is the samples of each channel in a FLAC frame.
	blockSize = 4096
	// maxRice is the greatest Rice parameter that four bits may hold; the one above it is an escape.
	maxRice = 14
)

// writeFLAC writes one or two channels of 16-bit samples as a FLAC file whose header states length and checksum.
// The file is made in memory first: the encoder's errors hide their causes, and that of w must be seen.
func writeFLAC(w io.Writer, pcm [][]int32) error {
	var out bytes.Buffer
	layout := frame.ChannelsMono
	if len(pcm) == 2 {
		layout = frame.ChannelsLR
	}
	encoder, err := flac.NewEncoder(&out, &meta.StreamInfo{
		BlockSizeMin: blockSize, BlockSizeMax: blockSize, SampleRate: rate, BitsPerSample: bitsPerSample,
		NChannels: uint8(len(pcm)), NSamples: uint64(len(pcm[0])), MD5sum: checksum(pcm), //nolint:gosec // one or two channels
	})
	if err != nil {
		return fmt.Errorf("write FLAC header: %w", err)
	}
	for from := 0; from < len(pcm[0]); from += blockSize {
		to := min(from+blockSize, len(pcm[0]))
		f := &frame.Frame{Header: frame.Header{
			HasFixedBlockSize: true, BlockSize: uint16(to - from), SampleRate: rate, Channels: layout, BitsPerSample: bitsPerSample,
		}}
		for _, channel := range pcm {
			block := channel[from:to]
			f.Subframes = append(f.Subframes, &frame.Subframe{SubHeader: predict(block), Samples: block, NSamples: len(block)})
		}
		if err := encoder.WriteFrame(f); err != nil {
			return fmt.Errorf("write FLAC frame: %w", err)
		}
	}
	if _, err := out.WriteTo(w); err != nil {
		return fmt.Errorf("write FLAC: %w", err)
	}
	return nil
}

// predict chooses how to code a block: the fixed predictor that leaves the least to be coded, and the Rice parameter for what it leaves,
// which is as many bits as its mean has. The encoder's own search tries every pair of them, comes to the same size and takes five times as long.
func predict(block []int32) frame.SubHeader {
	rest := make([]int32, len(block))
	copy(rest, block)
	best, least := 0, sum(rest)
	for order := 1; order < len(frame.FixedCoeffs) && order < len(block); order++ {
		// The residual of the next order is the difference between neighbours of this one.
		for i := len(block) - 1; i >= order; i-- {
			rest[i] -= rest[i-1]
		}
		if s := sum(rest[order:]); s < least {
			best, least = order, s
		}
	}
	mean := uint64(least) / uint64(len(block)) //nolint:gosec // a sum of sizes
	return frame.SubHeader{
		Pred: frame.PredFixed, Order: best, ResidualCodingMethod: frame.ResidualCodingMethodRice1,
		RiceSubframe: &frame.RiceSubframe{Partitions: []frame.RicePartition{{Param: uint(min(bits.Len64(mean), maxRice))}}},
	}
}

// sum adds up the sizes of the residuals.
func sum(residuals []int32) (total int64) {
	for _, r := range residuals {
		total += int64(max(r, -r))
	}
	return total
}

// checksum is the MD5 of the samples as interleaved little-endian 16-bit words.
func checksum(pcm [][]int32) [md5.Size]byte {
	raw := make([]byte, 0, len(pcm)*len(pcm[0])*bitsPerSample/8)
	for i := range pcm[0] {
		for _, channel := range pcm {
			raw = binary.LittleEndian.AppendUint16(raw, uint16(channel[i])) //nolint:gosec // samples have 16 bits
		}
	}
	return md5.Sum(raw) //nolint:gosec // see the import
}
