use super::*;
use std::time::Duration;

/// Reads a stream until it holds `wanted`.
pub(super) async fn read_until(answer: &mut Response, wanted: &str) -> String {
    let mut text = String::new();
    let reading = async {
        while !text.contains(wanted) {
            let chunk = answer.chunk().await.unwrap().expect("the stream goes on");
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reading)
        .await
        .expect("in time");
    text
}

#[tokio::test]
async fn a_change_arrives_and_a_reader_resumes_where_it_was() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    let mut stream = program.get("/api/v1/events").send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    read_until(&mut stream, "id: 0-0-0\n").await;
    program
        .post(&format!("{}/take", ticket(2)), "a", &json!({}))
        .send()
        .await
        .unwrap();
    let text = read_until(&mut stream, "\"kind\":\"ticket.changed\"").await;
    assert!(text.contains("id: 0-1-1\n"), "{text}");
    drop(stream);

    program
        .post(&format!("{}/take", ticket(3)), "b", &json!({}))
        .send()
        .await
        .unwrap();
    let mut resumed = program
        .get("/api/v1/events")
        .header("Last-Event-ID", "0-1-1")
        .send()
        .await
        .unwrap();
    let text = read_until(&mut resumed, "id: 0-2-2\n").await;
    assert!(
        !text.contains("id: 0-1-1\ndata: {\"appliance\""),
        "nothing comes twice: {text}"
    );
    let answer = program.get("/api/v1/events?after=never").send().await.unwrap();
    problem(answer, 400, "bad-request").await;
}

#[tokio::test]
async fn streams_are_bounded_and_given_back() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    let mut open = Vec::new();
    for _ in 0..64 {
        let answer = program.get("/api/v1/events").send().await.unwrap();
        assert_eq!(answer.status(), 200);
        open.push(answer);
    }
    problem(program.get("/api/v1/events").send().await.unwrap(), 503, "streams-full").await;
    drop(open);
    let freed = async {
        while program.get("/api/v1/events").send().await.unwrap().status() != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), freed)
        .await
        .expect("given back in time");
}

#[tokio::test]
async fn an_open_stream_does_not_keep_the_program_from_stopping() {
    let mut hub = Hub::start().await;
    let program = hub.program().await;
    let mut stream = program.get("/api/v1/events").send().await.unwrap();
    read_until(&mut stream, "hello").await;
    drop(program);
    hub.stop.cancel();
    // What is still open at the deadline for what is under way is left open.
    let ended = async { while stream.chunk().await.unwrap().is_some() {} };
    let ended = tokio::time::timeout(Duration::from_secs(30), ended).await;
    ended.expect("the stream comes to its end");
    let stopped = tokio::time::timeout(Duration::from_secs(30), &mut hub.served).await;
    stopped.expect("the program stops").unwrap().unwrap();
}
