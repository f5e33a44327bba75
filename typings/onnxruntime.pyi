from collections.abc import Mapping, Sequence
from typing import Any

class SessionOptions:
    intra_op_num_threads: int
    inter_op_num_threads: int
    log_severity_level: int
    def add_session_config_entry(self, key: str, value: str) -> None: ...

class NodeArg:
    name: str

class InferenceSession:
    def __init__(self, path_or_bytes: str | bytes, sess_options: SessionOptions | None = ...) -> None: ...
    def get_inputs(self) -> list[NodeArg]: ...
    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Any]) -> list[Any]: ...
