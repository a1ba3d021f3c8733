//! The shapes of answers and bodies, as JSON schemas.

use serde_json::{Value, json};

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A text: a hash, an address, hexadecimal digits, a number in a text.
    Text,
    /// A number in a text: mutez, counters, gas.
    Amount,
    /// A number.
    Number,
    /// True or false.
    Flag,
    /// An object.
    Object,
    /// A list.
    List,
    /// Something or null.
    Any,
    /// One JSON document a line, for as long as somebody listens.
    Stream,
}

impl Shape {
    /// Its schema.
    pub fn schema(self) -> Value {
        match self {
            Shape::Text => json!({"type": "string"}),
            Shape::Amount => json!({"type": "string", "pattern": "^-?[0-9]+$"}),
            Shape::Number => json!({"type": "integer"}),
            Shape::Flag => json!({"type": "boolean"}),
            Shape::Object => json!({"type": "object"}),
            Shape::List => json!({"type": "array"}),
            Shape::Any | Shape::Stream => json!({}),
        }
    }
}

/// What is sent with a `POST`. Each is a schema of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// A branch and contents.
    Operation,
    /// Signed bytes of operations, to be parsed.
    RawOperations,
    /// An operation and the chain.
    Simulation,
    /// Signed operations.
    SignedOperations,
    /// Protocol data and operations of a block.
    NewBlock,
    /// Code, storage and an argument.
    RunCode,
    /// Code and a stack.
    Instruction,
    /// A stack.
    Stack,
    /// A view of a contract, and an argument.
    RunView,
    /// A script.
    Script,
    /// A program to be checked.
    Program,
    /// A value and its type.
    Typed,
    /// A type.
    Type,
    /// How to show values.
    Mode,
    /// A key and its type.
    MapKey,
    /// A kind of ticket.
    Ticket,
    /// Signed bytes in hexadecimal digits.
    Hex,
    /// The bytes of a block.
    RawBlock,
    /// Whether the node has caught up.
    Bootstrapped,
    /// How many blocks to make.
    Bake,
    /// How the clock moves.
    Time,
    /// The number of a snapshot.
    SnapshotId,
    /// How many blocks to replace.
    Reorg,
    /// Who gets how much.
    Fund,
    /// Constants by their names.
    Constants,
    /// Nothing.
    Nothing,
}

fn object(required: &[&str], properties: Value) -> Value {
    json!({"type": "object", "required": required, "properties": properties})
}

impl Body {
    /// All schemas with their names in the document.
    pub const ALL: [Body; 26] = [
        Body::Operation,
        Body::RawOperations,
        Body::Simulation,
        Body::SignedOperations,
        Body::NewBlock,
        Body::RunCode,
        Body::Instruction,
        Body::Stack,
        Body::RunView,
        Body::Script,
        Body::Program,
        Body::Typed,
        Body::Type,
        Body::Mode,
        Body::MapKey,
        Body::Ticket,
        Body::Hex,
        Body::RawBlock,
        Body::Bootstrapped,
        Body::Bake,
        Body::Time,
        Body::SnapshotId,
        Body::Reorg,
        Body::Fund,
        Body::Constants,
        Body::Nothing,
    ];

    /// Its name in the document.
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    /// Whether it has to be sent.
    pub fn is_required(self) -> bool {
        !matches!(self, Body::Bake | Body::Nothing)
    }

    /// Its schema.
    pub fn schema(self) -> Value {
        let text = json!({"type": "string"});
        let amount = json!({"type": "string", "pattern": "^[0-9]{1,19}$"});
        let expression = json!({"$ref": "#/components/schemas/Micheline"});
        let item = object(&["type", "val"], json!({"type": expression, "val": expression}));
        let stack = json!({"type": "array", "items": item});
        let content = json!({"$ref": "#/components/schemas/Content"});
        let contents = json!({"type": "array", "minItems": 1, "items": content});
        match self {
            Body::Operation => {
                object(&["branch", "contents"], json!({"branch": text, "contents": contents, "signature": text}))
            }
            Body::RawOperations => object(
                &["operations"],
                json!({
                    "operations": {"type": "array", "items": object(&["branch", "data"], json!({"branch": text, "data": text}))},
                    "check_signature": {"type": "boolean"},
                }),
            ),
            Body::Simulation => object(
                &["operation", "chain_id"],
                json!({"operation": {"$ref": "#/components/schemas/Operation"}, "chain_id": text, "latency": {"type": "integer"}}),
            ),
            Body::SignedOperations => json!({"type": "array", "items": object(
                &["protocol", "branch", "contents", "signature"],
                json!({"protocol": text, "branch": text, "contents": contents, "signature": text}),
            )}),
            Body::NewBlock => object(
                &["protocol_data", "operations"],
                json!({"protocol_data": {"type": "object"}, "operations": {"type": "array", "items": {"type": "array"}}}),
            ),
            Body::RunCode => object(
                &["script", "storage", "input", "amount"],
                json!({
                    "script": expression, "storage": expression, "input": expression, "amount": amount, "balance": amount,
                    "chain_id": text, "source": text, "payer": text, "self": text, "entrypoint": text,
                }),
            ),
            Body::Instruction => object(
                &["input", "code", "amount"],
                json!({"input": stack, "code": expression, "amount": amount, "chain_id": text}),
            ),
            Body::Stack => object(
                &["input"],
                json!({"input": stack, "unparsing_mode": {"$ref": "#/components/schemas/UnparsingMode"}}),
            ),
            Body::RunView => object(
                &["contract", "input"],
                json!({
                    "contract": text, "view": text, "entrypoint": text, "input": expression, "chain_id": text,
                    "source": text, "payer": text, "unparsing_mode": {"$ref": "#/components/schemas/UnparsingMode"},
                }),
            ),
            Body::Script => object(&["script"], json!({"script": expression, "entrypoint": text})),
            Body::Program => object(&["program"], json!({"program": expression, "storage": expression})),
            Body::Typed => object(
                &["data", "type"],
                json!({"data": expression, "type": expression, "unparsing_mode": {"$ref": "#/components/schemas/UnparsingMode"}}),
            ),
            Body::Type => object(&["type"], json!({"type": expression})),
            Body::Mode => object(
                &["unparsing_mode"],
                json!({"unparsing_mode": {"$ref": "#/components/schemas/UnparsingMode"}, "normalize_types": {"type": "boolean"}}),
            ),
            Body::MapKey => object(&["key", "type"], json!({"key": expression, "type": expression})),
            Body::Ticket => object(
                &["ticketer", "content_type", "content"],
                json!({"ticketer": text, "content_type": expression, "content": expression}),
            ),
            Body::Hex => json!({"type": "string", "pattern": "^([0-9a-f]{2})*$"}),
            Body::RawBlock => object(&["data", "operations"], json!({"data": text, "operations": {"type": "array"}})),
            Body::Bootstrapped => object(&["bootstrapped"], json!({"bootstrapped": {"type": "boolean"}})),
            Body::Bake => object(&[], json!({"blocks": {"type": "integer", "minimum": 1, "maximum": 20}})),
            Body::Time => object(
                &[],
                json!({"advance": {"type": "integer", "minimum": 0}, "set": {"type": "string", "format": "date-time"}}),
            ),
            Body::SnapshotId => object(&["id"], json!({"id": {"type": "integer", "minimum": 1}})),
            Body::Reorg => object(
                &["depth"],
                json!({"depth": {"type": "integer", "minimum": 1, "maximum": 20}, "operations": {"enum": ["keep", "drop"]}}),
            ),
            Body::Fund => object(&["account", "amount"], json!({"account": text, "amount": amount})),
            Body::Constants => json!({"type": "object"}),
            Body::Nothing => json!({"type": "object"}),
        }
    }
}
