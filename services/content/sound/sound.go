// Package sound makes the audio of the catalogue: bells, tones and ambient beds. Everything is synthesised from
// arithmetic, so no licence is attached to it, and the same code writes the same bytes in every run.
//
// It never reads or stores a file, holds no speech, and knows nothing of meditations.
package sound

import (
	"fmt"
	"io"
)

// ContentType is the media type of what [Render] writes: FLAC, 16 bits a sample.
const ContentType = "audio/flac"

// rate is the samples per second of every sound. It keeps what is below 11 kHz, which is all that bells and soft beds have.
const rate = 22050

// Info says what a sound is.
type Info struct {
	// DurationSeconds is the exact length of the file.
	DurationSeconds float64
	// SampleRate is in samples per second and channel.
	SampleRate int
	// Channels is 1 or 2.
	Channels int
	// ContentType is the media type of the file.
	ContentType string
	// Loop is true when the end of the file runs on into its beginning without a seam: it is played over and over for the
	// whole practice. A sound that does not loop is rung once when the practice begins and once when it ends.
	Loop bool
}

// Codes returns the codes of all sounds, in the order of the score.
func Codes() []string {
	all := score()
	codes := make([]string, len(all))
	for i, p := range all {
		codes[i] = p.code
	}
	return codes
}

// Describe says what Render would write for this code, without rendering it. An unknown code is an error.
func Describe(code string) (Info, error) {
	p, err := find(code)
	if err != nil {
		return Info{}, err
	}
	return p.info(), nil
}

// Render writes the sound with this code as one complete FLAC file. The bytes are the same in every run.
// It fails on an unknown code and when w does; w gets the file in one piece. It is safe for concurrent use. A call works for
// about a tenth of a second on one core and uses some tens of megabytes meanwhile.
func Render(code string, w io.Writer) (Info, error) {
	p, err := find(code)
	if err != nil {
		return Info{}, err
	}
	t := newTake(p.seconds, p.channels, p.loop)
	p.compose(t)
	pcm, err := t.pcm()
	if err != nil {
		return Info{}, fmt.Errorf("sound %s: %w", code, err)
	}
	if err := writeFLAC(w, pcm); err != nil {
		return Info{}, fmt.Errorf("sound %s: %w", code, err)
	}
	return p.info(), nil
}

func find(code string) (piece, error) {
	for _, p := range score() {
		if p.code == code {
			return p, nil
		}
	}
	return piece{}, fmt.Errorf("sound: no sound has the code %q", code)
}
