//! A mail server (RFC 5321) that keeps what it is given, or refuses it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::aws_lc_rs, pki_types::PrivateKeyDer};

#[derive(Clone)]
pub struct Smtp {
    pub port: u16,
    state: Arc<Mutex<State>>,
    /// RFC 3207.
    tls: Option<Arc<ServerConfig>>,
}

#[derive(Default)]
struct State {
    mails: Vec<Received>,
    /// Every line that was said to it, but for the mails themselves.
    said: Vec<String>,
    /// What recipients are answered with instead of 250.
    refusal: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub struct Received {
    pub to: String,
    /// With its headers.
    pub data: String,
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

type Reader = BufReader<Box<dyn Stream>>;

fn answer(reader: &mut Reader, text: &str) -> bool {
    reader
        .get_mut()
        .write_all(format!("{text}\r\n").as_bytes())
        .and_then(|()| reader.get_mut().flush())
        .is_ok()
}

impl Smtp {
    pub fn start() -> Self {
        Self::with(None)
    }

    /// With a certificate for localhost, of the authority whose certificate is written to `ca_file`.
    pub fn start_tls(ca_file: &Path) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(ca_file, authority.pem()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        Self::with(Some(Arc::new(config)))
    }

    fn with(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let smtp = Self { port, state: Arc::default(), tls };
        let served = smtp.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let smtp = served.clone();
                thread::spawn(move || smtp.serve(stream));
            }
        });
        smtp
    }

    fn serve(&self, stream: TcpStream) {
        let plain = stream.try_clone().unwrap();
        let mut reader: Reader = BufReader::new(Box::new(stream));
        let (mut plain, mut to) = (self.tls.as_ref().map(|_| plain), String::new());
        let mut going = answer(&mut reader, "220 place.example");
        while going {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let line = line.trim_end();
            let mut state = self.state.lock().unwrap();
            state.said.push(line.to_owned());
            let refusal = state.refusal;
            drop(state);
            let verb = line.split([' ', ':']).next().unwrap().to_ascii_uppercase();
            going = match verb.as_str() {
                "EHLO" if plain.is_some() => answer(&mut reader, "250-place.example\r\n250 STARTTLS"),
                "EHLO" => answer(&mut reader, "250-place.example\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME"),
                "STARTTLS" => {
                    let going = answer(&mut reader, "220 go on");
                    let tls = ServerConnection::new(self.tls.clone().unwrap()).unwrap();
                    reader = BufReader::new(Box::new(StreamOwned::new(tls, plain.take().unwrap())));
                    going
                }
                "AUTH" => answer(&mut reader, "235 welcome"),
                "RCPT" => {
                    to = line.split(['<', '>']).nth(1).unwrap().to_owned();
                    answer(&mut reader, refusal.unwrap_or("250 fine"))
                }
                "DATA" => {
                    let going = answer(&mut reader, "354 go on");
                    let data = body(&mut reader);
                    self.state.lock().unwrap().mails.push(Received { to: to.clone(), data });
                    going && answer(&mut reader, "250 taken")
                }
                "QUIT" => {
                    answer(&mut reader, "221 bye");
                    return;
                }
                _ => answer(&mut reader, "250 fine"),
            };
        }
    }

    /// From now on recipients are answered like this.
    pub fn refuse(&self, refusal: Option<&'static str>) {
        self.state.lock().unwrap().refusal = refusal;
    }

    pub fn said(&self) -> Vec<String> {
        self.state.lock().unwrap().said.clone()
    }

    /// How often somebody was to be mailed.
    pub fn recipients(&self) -> usize {
        self.said().iter().filter(|line| line.starts_with("RCPT")).count()
    }

    /// Takes the oldest mail to somebody, waiting for it.
    pub async fn next(&self, to: &str) -> Received {
        for _ in 0..400 {
            match self.find(to) {
                Some(mail) => return mail,
                None => tokio::time::sleep(Duration::from_millis(25)).await,
            }
        }
        panic!("no mail to {to}, but {:?}", self.said());
    }

    fn find(&self, to: &str) -> Option<Received> {
        let mut state = self.state.lock().unwrap();
        let index = state.mails.iter().position(|mail| mail.to == to)?;
        Some(state.mails.remove(index))
    }

    /// Takes all that there are.
    pub fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.state.lock().unwrap().mails)
    }
}

fn body(reader: &mut impl BufRead) -> String {
    let mut data = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == ".\r\n" {
            return data;
        }
        data.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}

impl Received {
    pub fn subject(&self) -> String {
        let (_, rest) = self.data.split_once("Subject: ").unwrap();
        rest.split("\r\n").next().unwrap().to_owned()
    }

    /// The plain part, decoded.
    pub fn text(&self) -> String {
        self.part("text/plain")
    }

    pub fn part(&self, kind: &str) -> String {
        let (_, part) = self.data.split_once(&format!("Content-Type: {kind}")).unwrap();
        let (headers, rest) = part.split_once("\r\n\r\n").unwrap();
        let encoded = rest.split("\r\n--").next().unwrap();
        if headers.contains("quoted-printable") {
            let joined = encoded.replace("=\r\n", "");
            let mut pieces = joined.split('=');
            let mut bytes = pieces.next().unwrap().as_bytes().to_vec();
            for piece in pieces {
                bytes.push(u8::from_str_radix(&piece[..2], 16).unwrap());
                bytes.extend(&piece.as_bytes()[2..]);
            }
            String::from_utf8(bytes).unwrap()
        } else if headers.contains("base64") {
            String::from_utf8(STANDARD.decode(encoded.replace("\r\n", "")).unwrap()).unwrap()
        } else {
            encoded.to_owned()
        }
    }

    /// The path of the link.
    pub fn link(&self) -> String {
        let text = self.text();
        let link =
            text.split_whitespace().find(|word| word.contains("?token=")).unwrap_or_else(|| panic!("{text}"));
        format!("/{}", link.splitn(4, '/').nth(3).unwrap())
    }

    pub fn code(&self) -> String {
        let text = self.text();
        let is_code = |word: &&str| word.len() == 6 && word.bytes().all(|byte| byte.is_ascii_digit());
        text.split_whitespace().find(is_code).unwrap_or_else(|| panic!("{text}")).to_owned()
    }
}
