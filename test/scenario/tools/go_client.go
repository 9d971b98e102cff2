// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// One request by Go's own network code: go_client http|udp|packet ADDRESS:PORT
//
//	http    GET / ; prints the peer and the body
//	udp     a connected UDP socket; asks who.test TXT, prints the peer and the answer's text
//	packet  the same on an unconnected one; prints where the answer came from
package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"time"
)

const timeout = 5 * time.Second

var question = []byte("\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03who\x04test\x00\x00\x10\x00\x01")

// The text of the first TXT record of an answer.
func text(answer []byte) string {
	_, rest, found := bytes.Cut(answer[12:], []byte("\x00\x10\x00\x01"))
	if !found || len(rest) < 13 {
		return fmt.Sprintf("no answer: %x", answer)
	}
	return string(rest[13 : 13+rest[12]])
}

func get(address string) error {
	request, err := http.NewRequest("GET", "http://"+address+"/", nil)
	if err != nil {
		return err
	}
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		fmt.Println("peer", info.Conn.RemoteAddr())
	}}
	request = request.WithContext(httptrace.WithClientTrace(request.Context(), trace))
	answer, err := (&http.Client{Timeout: timeout}).Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(os.Stdout, answer.Body)
	return err
}

func askConnected(address string) error {
	connection, err := net.Dial("udp", address)
	if err != nil {
		return err
	}
	connection.SetDeadline(time.Now().Add(timeout))
	fmt.Println("peer", connection.RemoteAddr())
	if _, err = connection.Write(question); err != nil {
		return err
	}
	answer := make([]byte, 512)
	size, err := connection.Read(answer)
	if err == nil {
		fmt.Println(text(answer[:size]))
	}
	return err
}

func askUnconnected(address string) error {
	to, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return err
	}
	connection, err := net.ListenPacket("udp", ":0")
	if err != nil {
		return err
	}
	connection.SetDeadline(time.Now().Add(timeout))
	if _, err = connection.WriteTo(question, to); err != nil {
		return err
	}
	answer := make([]byte, 512)
	size, from, err := connection.ReadFrom(answer)
	if err == nil {
		fmt.Println("peer", from)
		fmt.Println(text(answer[:size]))
	}
	return err
}

func main() {
	ways := map[string]func(string) error{"http": get, "udp": askConnected, "packet": askUnconnected}
	if len(os.Args) != 3 || ways[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: go_client http|udp|packet ADDRESS:PORT")
		os.Exit(2)
	}
	if err := ways[os.Args[1]](os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
