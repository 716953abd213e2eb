// Command testapp is the app in the test image: it behaves as MODE says and answers about the container it runs in.
package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	if os.Args[0] == "cat" {
		cat(os.Args[1:])
		return
	}
	fmt.Println("mode", os.Getenv("MODE"))
	switch os.Getenv("MODE") {
	case "exit":
		for i := range 60 {
			fmt.Println("line", i)
		}
		fmt.Fprintln(os.Stderr, "boom: no such table")
		os.Exit(7)
	case "command":
		fmt.Println(strings.Join(os.Args[1:], " "))
	case "waiting":
		waiting()
	case "silent":
		wait()
	case "oom":
		eat()
	case "burn":
		burn()
	case "crash":
		time.Sleep(400 * time.Millisecond)
		os.Exit(7)
	case "output":
		output()
	case "broken":
		serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	default:
		serve(app())
	}
}

// cat is what most images have.
func cat(files []string) {
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		_, _ = os.Stdout.Write(text)
	}
}

func serve(h http.Handler) {
	addresses := os.Getenv("LISTEN") // several, with commas between them
	if addresses == "" {
		addresses = ":" + os.Getenv("PORT")
	}
	go wait()
	ended := make(chan error)
	for address := range strings.SplitSeq(addresses, ",") {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("listening on", address)
		go func() { ended <- http.Serve(listener, h) }()
	}
	if later := os.Getenv("LATER"); later != "" {
		time.Sleep(3 * time.Second) // as an app that warms up
		go func() { ended <- http.ListenAndServe(later, h) }()
	}
	fmt.Println(<-ended)
	os.Exit(1)
}

// wait ends the process on SIGTERM with a line that says so, unless MODE is stubborn.
func wait() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	for range signals {
		fmt.Println("got SIGTERM")
		if os.Getenv("MODE") != "stubborn" {
			os.Exit(0)
		}
	}
}

// waiting is a command that ends well, on SIGTERM alone, and says when it is ready for that.
func waiting() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	fmt.Println("waiting")
	<-signals
	fmt.Println("got SIGTERM")
}

// burn keeps 20 MB and uses as much CPU as it gets.
func burn() {
	kept := make([]byte, 21<<20)
	for i := 0; ; i++ {
		kept[i%len(kept)]++
	}
}

// writeFile makes a file as large as FILE says, in MB, which the kernel keeps in memory as long as there is room.
func writeFile(w http.ResponseWriter, _ *http.Request) {
	size, err := strconv.Atoi(os.Getenv("FILE"))
	file, openErr := os.Create("/file")
	err = errors.Join(err, openErr)
	block := make([]byte, 1<<20)
	for n := 0; n < size && err == nil; n++ {
		_, err = file.Write(block)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprint(w, "written")
}

func eat() {
	var kept [][]byte
	for {
		block := make([]byte, 1<<20)
		for i := range block {
			block[i] = byte(i)
		}
		kept = append(kept, block)
		if len(kept) > 4096 {
			os.Exit(1)
		}
	}
}

func output() {
	fmt.Println("to stdout")
	fmt.Fprintln(os.Stderr, "to stderr")
	fmt.Println(strings.Repeat("é", 20<<10) + " the end")
	fmt.Print("bad \xff byte\r\n")
	fmt.Print("no line break")
}

func app() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
			return
		}
		fmt.Fprintln(w, "hello from", r.Host)
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { copyFile(w, "/proc/self/status") })
	mux.HandleFunc("GET /init", func(w http.ResponseWriter, _ *http.Request) { copyFile(w, "/proc/1/comm") })
	mux.HandleFunc("GET /limits", func(w http.ResponseWriter, _ *http.Request) { copyFile(w, "/proc/self/limits") })
	mux.HandleFunc("GET /threads", threads)
	mux.HandleFunc("GET /write", write)
	mux.HandleFunc("GET /file", writeFile)
	mux.HandleFunc("GET /env", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, os.Getenv(r.FormValue("name"))) })
	mux.HandleFunc("POST /exit", func(http.ResponseWriter, *http.Request) { os.Exit(3) })
	return mux
}

func copyFile(w http.ResponseWriter, path string) {
	data, err := os.ReadFile(path)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(data)
}

// write writes a file of so many MB and says what came of it.
func write(w http.ResponseWriter, r *http.Request) {
	mb, _ := strconv.Atoi(r.FormValue("mb"))
	f, err := os.Create(r.FormValue("path"))
	for range mb {
		if err == nil {
			_, err = f.Write(make([]byte, 1<<20))
		}
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		fmt.Fprint(w, err)
		return
	}
	fmt.Fprint(w, "written")
}

// threads starts processes until the limit on them is met, and answers with how many there were.
func threads(w http.ResponseWriter, _ *http.Request) {
	var started []*os.Process
	for range 2000 {
		p, err := os.StartProcess("/proc/self/exe", []string{"testapp"}, &os.ProcAttr{Env: []string{"MODE=silent", "GOMAXPROCS=1"}})
		if err != nil {
			break
		}
		started = append(started, p)
	}
	fmt.Fprint(w, len(started))
	for _, p := range started {
		_ = p.Kill()
		_, _ = p.Wait()
	}
}
