//! Reading on after a refusal. Whoever closes a connection while a body is still arriving resets it, and the client
//! may never see the answer that was sent (RFC 9112 §9.6). So the rest of a body that nobody wants is read and
//! thrown away, up to a limit.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use futures_util::{Stream, StreamExt};

/// The most that is read for nothing, in bytes.
const MAX: usize = 1024 * 1024;
/// For no longer than this.
const TIMEOUT: Duration = Duration::from_secs(2);

/// `body`, which is read on when its reader goes away before its end.
pub(crate) fn lingering(body: Body) -> Body {
    if body.is_end_stream() { body } else { Body::from_stream(Lingering(Some(body.into_data_stream()))) }
}

/// None once the body has ended.
struct Lingering(Option<BodyDataStream>);

impl Stream for Lingering {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(body) = &mut self.0 else { return Poll::Ready(None) };
        let next = ready!(body.poll_next_unpin(context));
        if !matches!(next, Some(Ok(_))) {
            self.0 = None;
        }
        Poll::Ready(next)
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        if let Some(body) = self.0.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(tokio::time::timeout(TIMEOUT, discard(body)));
        }
    }
}

async fn discard(mut body: BodyDataStream) {
    let mut left = MAX;
    while let Some(Ok(data)) = body.next().await {
        match left.checked_sub(data.len()) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{SocketAddr, TcpStream},
        thread::sleep,
    };

    use axum::{Router, http::StatusCode, routing::post};

    use super::*;
    use crate::server::{self, Shutdown};

    /// What a client sees that sends `size` bytes slowly and reads only then.
    fn send(address: SocketAddr, size: usize) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        write!(stream, "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n")?;
        for _ in 0..10 {
            sleep(Duration::from_millis(20));
            stream.write_all(&vec![b' '; size / 10])?;
        }
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_is_refused_while_still_sending_sees_the_answer() {
        let listener = server::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = Shutdown::default();
        let refuse = || async { StatusCode::UNAUTHORIZED };
        let keep =
            axum::middleware::map_request(async |request: axum::extract::Request| request.map(lingering));
        server::serve(vec![listener], &Router::new().route("/", post(refuse)).layer(keep), None, &shutdown)
            .unwrap();
        let ask = |size| tokio::task::spawn_blocking(move || send(address, size));
        let (small, endless) = (ask(600_000), ask(60_000_000));
        let answer = small.await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        assert!(endless.await.unwrap().is_err(), "what has no end is not read to its end");
        shutdown.token.cancel();
    }
}
