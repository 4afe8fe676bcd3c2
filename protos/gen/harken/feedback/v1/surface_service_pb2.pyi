from harken.feedback.v1 import surface_pb2 as _surface_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PutSurfaceRequest(_message.Message):
    __slots__ = ("tenant", "surface", "validate_only")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SURFACE_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    surface: _surface_pb2.Surface
    validate_only: bool
    def __init__(self, tenant: _Optional[str] = ..., surface: _Optional[_Union[_surface_pb2.Surface, _Mapping]] = ..., validate_only: bool = ...) -> None: ...

class PutSurfaceResponse(_message.Message):
    __slots__ = ("surface", "position", "warnings")
    SURFACE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    surface: _surface_pb2.Surface
    position: bytes
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, surface: _Optional[_Union[_surface_pb2.Surface, _Mapping]] = ..., position: _Optional[bytes] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class GetSurfaceRequest(_message.Message):
    __slots__ = ("tenant", "name", "revision")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    name: str
    revision: int
    def __init__(self, tenant: _Optional[str] = ..., name: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class GetSurfaceResponse(_message.Message):
    __slots__ = ("surface",)
    SURFACE_FIELD_NUMBER: _ClassVar[int]
    surface: _surface_pb2.Surface
    def __init__(self, surface: _Optional[_Union[_surface_pb2.Surface, _Mapping]] = ...) -> None: ...

class DescribeSurfaceRequest(_message.Message):
    __slots__ = ("tenant", "name", "revision")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    name: str
    revision: int
    def __init__(self, tenant: _Optional[str] = ..., name: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class DescribeSurfaceResponse(_message.Message):
    __slots__ = ("name", "revision", "generation_id", "sections")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    SECTIONS_FIELD_NUMBER: _ClassVar[int]
    name: str
    revision: int
    generation_id: str
    sections: _containers.RepeatedCompositeFieldContainer[DescriptionSection]
    def __init__(self, name: _Optional[str] = ..., revision: _Optional[int] = ..., generation_id: _Optional[str] = ..., sections: _Optional[_Iterable[_Union[DescriptionSection, _Mapping]]] = ...) -> None: ...

class DescriptionSection(_message.Message):
    __slots__ = ("heading", "sentences")
    HEADING_FIELD_NUMBER: _ClassVar[int]
    SENTENCES_FIELD_NUMBER: _ClassVar[int]
    heading: str
    sentences: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, heading: _Optional[str] = ..., sentences: _Optional[_Iterable[str]] = ...) -> None: ...

class ListSurfacesRequest(_message.Message):
    __slots__ = ("tenant", "page_size", "page_token")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    page_size: int
    page_token: str
    def __init__(self, tenant: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSurfacesResponse(_message.Message):
    __slots__ = ("surfaces", "next_page_token")
    SURFACES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    surfaces: _containers.RepeatedCompositeFieldContainer[_surface_pb2.Surface]
    next_page_token: str
    def __init__(self, surfaces: _Optional[_Iterable[_Union[_surface_pb2.Surface, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListSurfaceRevisionsRequest(_message.Message):
    __slots__ = ("tenant", "name", "page_size", "page_token")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    name: str
    page_size: int
    page_token: str
    def __init__(self, tenant: _Optional[str] = ..., name: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSurfaceRevisionsResponse(_message.Message):
    __slots__ = ("revisions", "next_page_token")
    REVISIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    revisions: _containers.RepeatedCompositeFieldContainer[_surface_pb2.Surface]
    next_page_token: str
    def __init__(self, revisions: _Optional[_Iterable[_Union[_surface_pb2.Surface, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class RollbackSurfaceRequest(_message.Message):
    __slots__ = ("tenant", "name", "revision", "etag", "note")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    name: str
    revision: int
    etag: str
    note: str
    def __init__(self, tenant: _Optional[str] = ..., name: _Optional[str] = ..., revision: _Optional[int] = ..., etag: _Optional[str] = ..., note: _Optional[str] = ...) -> None: ...

class RollbackSurfaceResponse(_message.Message):
    __slots__ = ("surface", "position")
    SURFACE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    surface: _surface_pb2.Surface
    position: bytes
    def __init__(self, surface: _Optional[_Union[_surface_pb2.Surface, _Mapping]] = ..., position: _Optional[bytes] = ...) -> None: ...

class DeleteSurfaceRequest(_message.Message):
    __slots__ = ("tenant", "name", "etag", "note")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    name: str
    etag: str
    note: str
    def __init__(self, tenant: _Optional[str] = ..., name: _Optional[str] = ..., etag: _Optional[str] = ..., note: _Optional[str] = ...) -> None: ...

class DeleteSurfaceResponse(_message.Message):
    __slots__ = ("position",)
    POSITION_FIELD_NUMBER: _ClassVar[int]
    position: bytes
    def __init__(self, position: _Optional[bytes] = ...) -> None: ...
