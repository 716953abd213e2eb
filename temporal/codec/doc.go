// Package codec keeps what slipway sends to Temporal from whoever can read the server or its database: Codec encrypts
// payloads and failures on their way, Endpoint decrypts them for people who may read them.
//
// What the server itself needs stays readable: search attributes, names of workflows, activities and queues, ids.
package codec
