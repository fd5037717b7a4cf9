//! What all operations of the document share, said once: answers that come from in front of the handlers, and what texts may hold.

use utoipa::openapi::path::{Operation, Parameter};
use utoipa::openapi::schema::{Object, Schema, SchemaType, Type};
use utoipa::openapi::{Components, Content, OpenApi, Ref, RefOr, ResponseBuilder};

/// A text of one line: no control characters (Unicode's category Cc).
const LINE: &str = "^[^\\u0000-\\u001F\\u007F-\\u009F]*$";
/// A text of several lines.
const LINES: &str = "^[^\\u0000-\\u0008\\u000B\\u000C\\u000E-\\u001F\\u007F-\\u009F]*$";
/// A key that a client makes.
const KEY: &str = "^[!-~]([ -~]{0,62}[!-~])?$";
/// An id of an event, also as they were before there were epochs.
const EVENT_ID: &str = "^[0-9]{1,19}(-[0-9]{1,19}){0,2}$";

/// Bodies whose texts have one line, and those whose texts may have several.
const OF_LINE: [&str; 5] = ["Claim", "ReplayFilter", "Replay", "SetStatus", "StateBudget"];
const OF_LINES: [&str; 10] = [
    "ChangePassword",
    "CloseTicket",
    "LogIn",
    "MakePromise",
    "Note",
    "NoteTicket",
    "OpenTicket",
    "RefuseCall",
    "ReleaseCalls",
    "SendCommand",
];

/// An answer that operations of some kind may give.
struct Common {
    status: &'static str,
    name: &'static str,
    description: &'static str,
    of: fn(&Kind) -> bool,
}

/// What decides which answers an operation may give.
struct Kind {
    reads: bool,
    needs_log_in: bool,
}

const ANSWERS: [Common; 11] = [
    Common {
        status: "400",
        name: "BadRequest",
        description: "Cannot be read: a parameter that is not known, a value out of range, a body that is no JSON, or not one Host",
        of: |_| true,
    },
    Common {
        status: "401",
        name: "NotLoggedIn",
        description: "Not logged in",
        of: |kind| kind.needs_log_in,
    },
    Common {
        status: "403",
        name: "NotAllowed",
        description: "No role of this log-in allows it, or a page of another site sent the request",
        of: |kind| kind.needs_log_in || !kind.reads,
    },
    Common {
        status: "404",
        name: "NotFound",
        description: "Not there, or not this account's; for a list, no page is behind `after`",
        of: |kind| kind.needs_log_in,
    },
    Common {
        status: "409",
        name: "Conflict",
        description: "Somebody was faster, or a request with this Idempotency-Key is under way",
        of: |kind| !kind.reads,
    },
    Common {
        status: "413",
        name: "BodyTooLong",
        description: "The body has more than 65,536 bytes",
        of: |_| true,
    },
    Common {
        status: "421",
        name: "UnknownHost",
        description: "The hub is not called by this host name",
        of: |_| true,
    },
    Common {
        status: "422",
        name: "NotTaken",
        description: "A text holds control characters, or a value cannot be stored",
        of: |_| true,
    },
    Common {
        status: "500",
        name: "Damaged",
        description: "A stored value cannot be read; the log says which",
        of: |_| true,
    },
    Common {
        status: "503",
        name: "Unavailable",
        description: "The database does not answer, another hub takes over, or too much is under way; see Retry-After",
        of: |_| true,
    },
    Common {
        status: "504",
        name: "Late",
        description: "The body was not here, or the answer not ready, in time",
        of: |_| true,
    },
];

/// Adds what the operations themselves do not say.
pub(super) fn complete(document: &mut OpenApi) {
    let components = document.components.get_or_insert_default();
    for common in ANSWERS {
        let content = Content::new(Some(Ref::from_schema_name("Problem")));
        let answer = ResponseBuilder::new().description(common.description);
        let answer = answer.content("application/problem+json", content).build();
        components.responses.insert(common.name.to_owned(), RefOr::T(answer));
    }
    for (schemas, pattern) in [(OF_LINE.as_slice(), LINE), (OF_LINES.as_slice(), LINES)] {
        for name in schemas {
            bound_texts(components, name, pattern);
        }
    }
    for item in document.paths.paths.values_mut() {
        let operations = [
            (true, &mut item.get),
            (false, &mut item.put),
            (false, &mut item.post),
            (false, &mut item.delete),
        ];
        for (reads, operation) in operations {
            if let Some(operation) = operation {
                complete_operation(operation, reads);
            }
        }
    }
}

fn complete_operation(operation: &mut Operation, reads: bool) {
    let kind = Kind {
        reads,
        // An operation that needs none says so itself.
        needs_log_in: operation.security.is_none(),
    };
    for common in ANSWERS.iter().filter(|common| (common.of)(&kind)) {
        let answers = &mut operation.responses.responses;
        answers
            .entry(common.status.to_owned())
            .or_insert_with(|| RefOr::Ref(Ref::from_response_name(common.name)));
    }
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter {
            bound_parameter(parameter);
        }
    }
}

fn bound_parameter(parameter: &mut Parameter) {
    let Some(RefOr::T(Schema::Object(text))) = &mut parameter.schema else {
        return;
    };
    let pattern = match parameter.name.as_str() {
        "Idempotency-Key" => KEY,
        "Last-Event-ID" => EVENT_ID,
        _ => LINE,
    };
    bound_text(text, pattern);
}

fn bound_texts(components: &mut Components, name: &str, pattern: &str) {
    let Some(RefOr::T(Schema::Object(body))) = components.schemas.get_mut(name) else {
        return;
    };
    for member in body.properties.values_mut() {
        if let RefOr::T(Schema::Object(text)) = member {
            bound_text(text, pattern);
        }
    }
}

/// What says more of itself stays as it is.
fn bound_text(text: &mut Object, pattern: &str) {
    let is_text = match &text.schema_type {
        SchemaType::Type(kind) => *kind == Type::String,
        SchemaType::Array(kinds) => kinds.contains(&Type::String),
        SchemaType::AnyValue => false,
    };
    if is_text && text.format.is_none() && text.enum_values.is_none() && text.pattern.is_none() {
        text.pattern = Some(pattern.to_owned());
    }
}
