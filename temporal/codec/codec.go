package codec

import (
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	sdkclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	sdktemporal "go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/proto"
)

// encoding marks an encrypted payload. Histories hold it, so it never changes.
const encoding = "binary/slipway-encrypted"

// purpose keeps what the same keys encrypt elsewhere, such as env vars, from being passed off as a payload to decrypt.
var purpose = []byte("temporal payload")

// Cipher encrypts and decrypts; both want the same aad.
type Cipher interface {
	Encrypt(plain, aad []byte) ([]byte, error)
	Decrypt(sealed, aad []byte) ([]byte, error)
}

// Codec encrypts payloads, and decrypts those that are encrypted: whoever turns encryption on or off does not lose what
// is under way.
type Codec struct{ Cipher Cipher }

var _ converter.PayloadCodec = Codec{}

// Encode encrypts payloads whole, with what they say of their own encoding.
func (c Codec) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	sealed := make([]*commonpb.Payload, len(payloads))
	for i, p := range payloads {
		plain, err := proto.Marshal(p)
		if err != nil {
			return nil, fmt.Errorf("encrypt payload: %w", err)
		}
		data, err := c.Cipher.Encrypt(plain, purpose)
		if err != nil {
			return nil, fmt.Errorf("encrypt payload: %w", err)
		}
		sealed[i] = &commonpb.Payload{Metadata: map[string][]byte{converter.MetadataEncoding: []byte(encoding)}, Data: data}
	}
	return sealed, nil
}

// Decode decrypts what Encode has encrypted and leaves everything else as it is.
func (c Codec) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	opened := make([]*commonpb.Payload, len(payloads))
	for i, p := range payloads {
		if string(p.GetMetadata()[converter.MetadataEncoding]) != encoding {
			opened[i] = p
			continue
		}
		plain, err := c.Cipher.Decrypt(p.GetData(), purpose)
		if err != nil {
			return nil, fmt.Errorf("decrypt payload: %w: does SLIPWAY_KEYSET_FILE name the keys that every other role has?", err)
		}
		opened[i] = &commonpb.Payload{}
		if err := proto.Unmarshal(plain, opened[i]); err != nil {
			return nil, fmt.Errorf("decrypt payload: %w", err)
		}
	}
	return opened, nil
}

// readOnly sends payloads as they are.
type readOnly struct{ Codec }

func (readOnly) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	return payloads, nil
}

// Use makes a client read encrypted payloads, and with encrypt send nothing else. That includes messages and stack traces
// of failures, which are no payloads by themselves.
func (c Codec) Use(o *sdkclient.Options, encrypt bool) {
	var codec converter.PayloadCodec = readOnly{c}
	if encrypt {
		codec = c
	}
	o.DataConverter = converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), codec)
	o.FailureConverter = sdktemporal.NewDefaultFailureConverter(sdktemporal.DefaultFailureConverterOptions{
		DataConverter: o.DataConverter, EncodeCommonAttributes: encrypt,
	})
}
