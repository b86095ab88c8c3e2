//! What is hardly HTTP gets an answer that says so, or an end; never somebody else's answer.

use std::time::Duration;

use platform::on_each_database;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::fixture::TestIdp;

/// Each with the statuses that it may get; none: the connection ends.
const STRANGE: [(&[u8], &[u16]); 24] = [
    (b"GET /jwks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &[200]),
    (b"GET /jwks HTTP/1.0\r\n\r\n", &[200]),
    (b"GET http://evil.example/jwks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &[200]),
    (b"GET //evil.example/jwks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &[404]),
    (b"GET //evil.example/%2e%2e HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &[404]),
    (b"GET /\\evil.example HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &[400, 404]),
    (b"GET /login?request=\xff\xfe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &[400]),
    (b"GET /authorize?client_id=\xc3\x28 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &[400]),
    (b"GET /jwks HTTP/1.1\r\nHost: x\r\nX: a\0b\r\nConnection: close\r\n\r\n", &[400]),
    (b"GET /jwks HTTP/1.1\r\nHost: x\r\n folded: 1\r\nConnection: close\r\n\r\n", &[400]),
    (b"GET /jwks HTTP/9.9\r\nHost: x\r\n\r\n", &[400, 505]),
    (b"GET /jwks\r\n\r\n", &[400]),
    (b"GET /jwks HTTP/1.1\nHost: x\nConnection: close\n\n", &[200, 400]),
    (b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &[200, 400, 404, 405]),
    (b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\nConnection: close\r\n\r\n", &[400, 404, 405]),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", &[400]),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[]),
    (b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", &[400]),
    (b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", &[400]),
    (b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\na=bc", &[400]),
    // Smuggling: whoever reads it otherwise than a proxy before us would take the second request for somebody else's.
    (
        b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /jwks HTTP/1.1\r\nHost: x\r\n\r\n",
        &[400],
    ),
    (b"POST /token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", &[400]),
    (b"POST /token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\nConnection: close\r\n\r\n0\r\n\r\n", &[400]),
    (
        b"POST /token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nZZ\r\nx\r\n0\r\n\r\n",
        &[400],
    ),
];

on_each_database! {
    async fn what_is_hardly_http_gets_an_answer_or_an_end(db) {
        let idp = TestIdp::new(db).await;
        let address = idp.url.trim_start_matches("http://").replace("localhost", "127.0.0.1");
        for (sent, expected) in STRANGE {
            let shown = sent.escape_ascii();
            let mut stream = TcpStream::connect(&address).await.unwrap();
            stream.write_all(sent).await.unwrap();
            let mut answer = Vec::new();
            let ended = timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
            assert!(ended.is_ok(), "{shown}: the connection stays open");
            let answer = String::from_utf8_lossy(&answer);
            let status: Option<u16> = answer.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
            let good = status.map_or(expected.is_empty(), |status| expected.contains(&status));
            assert!(good, "{shown}: {answer}");
            assert!(answer.matches("HTTP/1.").count() <= 1, "{shown}: two answers: {answer}");
            assert!(!answer.to_ascii_lowercase().contains("location: "), "{shown}: {answer}");
        }
        assert_eq!(idp.http.get(idp.at("/jwks")).send().await.unwrap().status(), 200);
    }
}
