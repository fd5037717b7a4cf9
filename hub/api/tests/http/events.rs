use super::*;
use hub_store::event::{EventCursor, EventStore};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
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

/// Lines with the ids of what has happened since.
async fn ids_after(hub: &Hub, head: EventCursor) -> Vec<String> {
    let events = hub.store.events_after(&scene::hub(), head, 10).await.unwrap();
    events.iter().map(|event| format!("id: {}\n", event.cursor)).collect()
}

#[tokio::test]
async fn a_change_arrives_and_a_reader_resumes_where_it_was() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    let head = hub.store.event_head().await.unwrap();
    let mut stream = program.get("/api/v1/events").send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    assert_eq!(
        stream.headers()["x-accel-buffering"],
        "no",
        "nginx passes events on at once"
    );
    read_until(&mut stream, &format!("id: {head}\n")).await;
    program
        .post(&format!("{}/take", hub.ticket(2)), "a", &json!({}))
        .send()
        .await
        .unwrap();
    let text = read_until(&mut stream, "\"kind\":\"ticket.taken\"").await;
    let [first] = &ids_after(&hub, head).await[..] else {
        panic!("one act is one event");
    };
    assert!(text.contains(first), "{text}");
    drop(stream);

    program
        .post(&format!("{}/take", hub.ticket(3)), "b", &json!({}))
        .send()
        .await
        .unwrap();
    let mut resumed = program
        .get("/api/v1/events")
        .header("Last-Event-ID", first["id: ".len()..].trim_end())
        .send()
        .await
        .unwrap();
    let second = &ids_after(&hub, head).await[1];
    let text = read_until(&mut resumed, second).await;
    assert!(
        !text.contains(&format!("{first}data: {{\"appliance\"")),
        "nothing comes twice: {text}"
    );
    let answer = program.get("/api/v1/events?after=never").send().await.unwrap();
    problem(answer, 400, "bad-request").await;
}

#[tokio::test]
async fn streams_are_bounded_and_given_back() {
    let hub = Hub::start_with(|mut state| {
        state.config.limits.streams_max = 5;
        state.config.limits.person_streams_max = 3;
        state
    })
    .await;
    let (program, other) = (hub.program().await, hub.program().await);
    let events = async |program: &Program<'_>| program.get("/api/v1/events").send().await.unwrap();
    let mut open = Vec::new();
    for _ in 0..3 {
        let answer = events(&program).await;
        assert_eq!(answer.status(), 200);
        open.push(answer);
    }
    problem(events(&program).await, 503, "streams-full").await;
    for _ in 0..2 {
        let answer = events(&other).await;
        assert_eq!(answer.status(), 200, "another log-in has an allowance of its own");
        open.push(answer);
    }
    problem(events(&other).await, 503, "streams-full").await;
    drop(open);
    let freed = async {
        while events(&other).await.status() != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), freed)
        .await
        .expect("given back in time");
}

/// As many as read along in a large house, by the limits that nobody has set.
#[tokio::test]
async fn five_hundred_people_hear_of_a_change() {
    const EACH: usize = 10;
    let people = if raise_files_max() < FILES_FOR_ALL {
        assert!(
            std::env::var_os("CI").is_none(),
            "{FILES_FOR_ALL} open files are needed, and CI leaves nothing out"
        );
        eprintln!("200 people instead of 500: the hard limit of open files is below {FILES_FOR_ALL}");
        200
    } else {
        500
    };
    let hub = Hub::start().await;
    let (mut streams, mut log_ins) = (Vec::new(), Vec::new());
    for _ in 0..people / EACH {
        let program = hub.program().await;
        for _ in 0..EACH {
            let mut stream = program.get("/api/v1/events").send().await.unwrap();
            read_until(&mut stream, "hello").await;
            streams.push(stream);
        }
        log_ins.push(program.token);
    }
    let program = hub.program().await;
    let head = hub.store.event_head().await.unwrap();
    let take = program.post(&format!("{}/take", hub.ticket(2)), "a", &json!({}));
    assert_eq!(take.send().await.unwrap().status(), 200);
    let taken = &ids_after(&hub, head).await[0];
    for stream in &mut streams {
        let text = read_until(stream, "\"kind\":\"ticket.taken\"").await;
        assert!(text.contains(taken), "{text}");
    }
    // Who has logged in stays so, no matter who came after them: a stream whose session has gone ends half a minute later.
    let client = Client::new();
    for token in &log_ins {
        let answer = client.get(hub.url("/api/v1/tickets")).bearer_auth(token).send().await;
        assert_eq!(answer.unwrap().status(), 200);
    }
    // Others are answered beside them.
    let answer = Client::new().get(hub.url("/api/v1/openapi.json")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

/// Both ends of 500 streams are files of this process, and other tests run beside.
const FILES_FOR_ALL: u64 = 1_500;

/// Lets this process open as many files, where the machine does; how many it may open now. Many systems begin with 1,024.
fn raise_files_max() -> u64 {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let raised = soft.max(FILES_FOR_ALL.min(hard));
    if raised > soft {
        setrlimit(Resource::RLIMIT_NOFILE, raised, hard).unwrap();
    }
    raised
}

#[tokio::test]
async fn another_tenants_events_are_not_told_and_nothing_is_missed() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    let mut all = program.get("/api/v1/events").send().await.unwrap();
    read_until(&mut all, "hello").await;
    hub.set_tenant(Some("other")).await;
    let mut none = program.get("/api/v1/events").send().await.unwrap();
    read_until(&mut none, "hello").await;
    hub.set_tenant(None).await;
    let head = hub.store.event_head().await.unwrap();
    for n in [2, 3] {
        let take = program.post(&format!("{}/take", hub.ticket(n)), &format!("k{n}"), &json!({}));
        assert_eq!(take.send().await.unwrap().status(), 200);
    }
    let taken = ids_after(&hub, head).await;
    let text = read_until(&mut all, &taken[1]).await;
    assert!(text.contains(&taken[0]), "{text}");
    // What was told to the others before is not there when the stream ends.
    hub.stop.cancel();
    let mut rest = String::new();
    let ended = async {
        while let Some(chunk) = none.chunk().await.unwrap() {
            rest.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    };
    tokio::time::timeout(Duration::from_secs(30), ended)
        .await
        .expect("it ends");
    assert!(!rest.contains("ticket.taken"), "{rest}");
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
