// A load client for a LiveKit server: talkers that send Opus packets, listeners that count what arrives.
//
//	LIVEKIT_KEY=… LIVEKIT_SECRET=… livekit-load URL TALKERS LISTENERS PACKETS
//
// PACKETS is a file of Opus packets, each behind its length (two bytes, big endian), sent one every 20 ms. Every two
// seconds a line of JSON: listeners with media, packets received and lost (gaps of sequence numbers) since the start.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
	"google.golang.org/protobuf/proto"
)

const room = "bench"

var (
	packets, lost, tracks, failed atomic.Int64
	api                           *webrtc.API
)

// member is one connection: signalling, and a peer connection for each direction.
type member struct {
	socket                *websocket.Conn
	writing               sync.Mutex
	listening, talking    *webrtc.PeerConnection
	forListening, forTalk []webrtc.ICECandidateInit
	publishing            sync.Once
	payloads              [][]byte
}

func (m *member) send(request *livekit.SignalRequest) {
	data, err := proto.Marshal(request)
	if err != nil {
		return
	}
	m.writing.Lock()
	defer m.writing.Unlock()
	_ = m.socket.WriteMessage(websocket.BinaryMessage, data)
}

func (m *member) trickle(target livekit.SignalTarget) func(*webrtc.ICECandidate) {
	return func(candidate *webrtc.ICECandidate) {
		if candidate == nil {
			return
		}
		text, err := json.Marshal(candidate.ToJSON())
		if err != nil {
			return
		}
		m.send(&livekit.SignalRequest{Message: &livekit.SignalRequest_Trickle{
			Trickle: &livekit.TrickleRequest{CandidateInit: string(text), Target: target}}})
	}
}

// count reads one track to its end.
func count(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
	tracks.Add(1)
	defer tracks.Add(-1)
	buffer, newest, first := make([]byte, 1500), uint16(0), true
	for {
		size, _, err := track.Read(buffer)
		if err != nil {
			return
		}
		if size < 4 {
			continue
		}
		number := uint16(buffer[2])<<8 | uint16(buffer[3])
		if step := int16(number - newest); !first && step > 1 {
			lost.Add(int64(step) - 1)
		}
		newest, first = number, false
		packets.Add(1)
	}
}

func (m *member) publish() {
	connection, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return
	}
	m.talking = connection
	connection.OnICECandidate(m.trickle(livekit.SignalTarget_PUBLISHER))
	track, err := webrtc.NewTrackLocalStaticSample(
		webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "mic", "mic")
	if err != nil {
		return
	}
	sender, err := connection.AddTrack(track)
	if err != nil {
		return
	}
	go func() {
		buffer := make([]byte, 1500)
		for {
			if _, _, err := sender.Read(buffer); err != nil {
				return
			}
		}
	}()
	offer, err := connection.CreateOffer(nil)
	if err != nil || connection.SetLocalDescription(offer) != nil {
		return
	}
	m.send(&livekit.SignalRequest{Message: &livekit.SignalRequest_Offer{
		Offer: &livekit.SessionDescription{Type: "offer", Sdp: offer.SDP}}})
	go func() {
		for at := 0; ; at++ {
			time.Sleep(20 * time.Millisecond)
			_ = track.WriteSample(media.Sample{Data: m.payloads[at%len(m.payloads)], Duration: 20 * time.Millisecond})
		}
	}()
}

func (m *member) answer(offer *livekit.SessionDescription) error {
	remote := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer.Sdp}
	if err := m.listening.SetRemoteDescription(remote); err != nil {
		return err
	}
	for _, candidate := range m.forListening {
		_ = m.listening.AddICECandidate(candidate)
	}
	m.forListening = nil
	answer, err := m.listening.CreateAnswer(nil)
	if err != nil {
		return err
	}
	if err := m.listening.SetLocalDescription(answer); err != nil {
		return err
	}
	m.send(&livekit.SignalRequest{Message: &livekit.SignalRequest_Answer{
		Answer: &livekit.SessionDescription{Type: "answer", Sdp: answer.SDP, Id: offer.Id}}})
	return nil
}

func (m *member) candidate(trickle *livekit.TrickleRequest) {
	var candidate webrtc.ICECandidateInit
	if json.Unmarshal([]byte(trickle.CandidateInit), &candidate) != nil || candidate.Candidate == "" {
		return
	}
	connection, waiting := m.listening, &m.forListening
	if trickle.Target == livekit.SignalTarget_PUBLISHER {
		connection, waiting = m.talking, &m.forTalk
	}
	if connection == nil || connection.RemoteDescription() == nil {
		*waiting = append(*waiting, candidate)
		return
	}
	_ = connection.AddICECandidate(candidate)
}

func (m *member) understand(response *livekit.SignalResponse, talks bool) error {
	switch message := response.Message.(type) {
	case *livekit.SignalResponse_Join:
		if talks {
			m.send(&livekit.SignalRequest{Message: &livekit.SignalRequest_AddTrack{AddTrack: &livekit.AddTrackRequest{
				Cid: "mic", Name: "mic", Type: livekit.TrackType_AUDIO, Source: livekit.TrackSource_MICROPHONE,
				DisableRed: true}}})
		}
	case *livekit.SignalResponse_TrackPublished:
		m.publishing.Do(m.publish)
	case *livekit.SignalResponse_Answer:
		_ = m.talking.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: message.Answer.Sdp})
		for _, candidate := range m.forTalk {
			_ = m.talking.AddICECandidate(candidate)
		}
		m.forTalk = nil
	case *livekit.SignalResponse_Offer:
		return m.answer(message.Offer)
	case *livekit.SignalResponse_Trickle:
		m.candidate(message.Trickle)
	}
	return nil
}

func join(server, identity string, talks bool, payloads [][]byte) error {
	may := true
	grant := &auth.VideoGrant{RoomJoin: true, Room: room, CanPublish: &may, CanSubscribe: &may}
	token, err := auth.NewAccessToken(os.Getenv("LIVEKIT_KEY"), os.Getenv("LIVEKIT_SECRET")).
		SetIdentity(identity).SetVideoGrant(grant).ToJWT()
	if err != nil {
		return err
	}
	subscribe := "1"
	if talks {
		subscribe = "0"
	}
	address := server + "/rtc?protocol=12&sdk=go&auto_subscribe=" + subscribe + "&access_token=" + url.QueryEscape(token)
	socket, _, err := websocket.DefaultDialer.Dial(address, nil)
	if err != nil {
		return errors.New("the server cannot be reached") // the error itself would show the token
	}
	m := &member{socket: socket, payloads: payloads}
	if m.listening, err = api.NewPeerConnection(webrtc.Configuration{}); err != nil {
		return err
	}
	m.listening.OnICECandidate(m.trickle(livekit.SignalTarget_SUBSCRIBER))
	m.listening.OnTrack(count)
	go func() {
		for range time.Tick(5 * time.Second) {
			m.send(&livekit.SignalRequest{Message: &livekit.SignalRequest_PingReq{
				PingReq: &livekit.Ping{Timestamp: time.Now().UnixMilli()}}})
		}
	}()
	for {
		_, data, err := socket.ReadMessage()
		if err != nil {
			return err
		}
		response := &livekit.SignalResponse{}
		if proto.Unmarshal(data, response) != nil {
			continue
		}
		if err := m.understand(response, talks); err != nil {
			return err
		}
	}
}

func readPackets(path string) ([][]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var found [][]byte
	for len(data) > 2 {
		end := 2 + int(data[0])<<8 + int(data[1])
		found = append(found, data[2:end])
		data = data[end:]
	}
	return found, nil
}

func run(arguments []string) error {
	talkers, err := strconv.Atoi(arguments[1])
	if err != nil {
		return err
	}
	listeners, err := strconv.Atoi(arguments[2])
	if err != nil {
		return err
	}
	payloads, err := readPackets(arguments[3])
	if err != nil {
		return err
	}
	settings := webrtc.SettingEngine{}
	settings.SetIncludeLoopbackCandidate(true)
	engine := &webrtc.MediaEngine{}
	if err := engine.RegisterDefaultCodecs(); err != nil {
		return err
	}
	api = webrtc.NewAPI(webrtc.WithSettingEngine(settings), webrtc.WithMediaEngine(engine))
	go func() {
		for number := range talkers + listeners {
			go func() {
				if err := join(arguments[0], fmt.Sprintf("m%d", number), number < talkers, payloads); err != nil {
					failed.Add(1)
					fmt.Fprintln(os.Stderr, err)
				}
			}()
			time.Sleep(25 * time.Millisecond)
		}
	}()
	for range time.Tick(2 * time.Second) {
		fmt.Printf("{\"tracks\": %d, \"packets\": %d, \"lost\": %d, \"failed\": %d}\n",
			tracks.Load(), packets.Load(), lost.Load(), failed.Load())
	}
	return nil
}

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: livekit-load URL TALKERS LISTENERS PACKETS")
		os.Exit(64)
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(70)
	}
}
