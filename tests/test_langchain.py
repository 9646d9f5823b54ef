"""LangChain's own tests of vector stores, on our vector adapters through a small VectorStore."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore
from langchain_tests.integration_tests import vectorstores
from oneiric.adapters.vector import Record
from oneiric_postgres import PgVectorAdapter
from oneiric_qdrant import QdrantAdapter

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence

    from langchain_core.embeddings import Embeddings
    from oneiric.adapters.vector import Filter, Match, VectorAdapter

COLLECTION = "documents"


class Loop:
    """An event loop in a thread, where an adapter lives: LangChain's tests call from theirs, and from none."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever)
        self._thread.start()

    def run(self, call: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(call, self._loop).result(60)

    async def wait(self, call: Coroutine[Any, Any, Any]) -> Any:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call, self._loop))

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()


class OneiricVectorStore(VectorStore):
    """A VectorStore over any of our vector adapters, in the fewest words: the text goes into the payload."""

    def __init__(self, adapter: VectorAdapter, embeddings: Embeddings, loop: Loop) -> None:
        self._adapter = adapter
        self._embeddings = embeddings
        self._loop = loop

    @property
    def embeddings(self) -> Embeddings:
        return self._embeddings

    def add_texts(
        self, texts: Iterable[str], metadatas: list[dict] | None = None, *, ids: list[str] | None = None, **options: Any
    ) -> list[str]:
        return self._loop.run(self._add([*texts], metadatas, ids))

    async def aadd_texts(
        self, texts: Iterable[str], metadatas: list[dict] | None = None, *, ids: list[str] | None = None, **options: Any
    ) -> list[str]:
        return await self._loop.wait(self._add([*texts], metadatas, ids))

    def delete(self, ids: list[str] | None = None, **options: Any) -> None:
        self._loop.run(self._adapter.delete(COLLECTION, ids))

    async def adelete(self, ids: list[str] | None = None, **options: Any) -> None:
        await self._loop.wait(self._adapter.delete(COLLECTION, ids))

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        return [_document(record) for record in self._loop.run(self._adapter.get(COLLECTION, ids))]

    async def aget_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        return [_document(record) for record in await self._loop.wait(self._adapter.get(COLLECTION, ids))]

    def similarity_search(self, query: str, k: int = 4, filter: Filter | None = None, **options: Any) -> list[Document]:
        return [_document(match) for match in self._loop.run(self._search(query, k, filter))]

    async def asimilarity_search(
        self, query: str, k: int = 4, filter: Filter | None = None, **options: Any
    ) -> list[Document]:
        return [_document(match) for match in await self._loop.wait(self._search(query, k, filter))]

    @classmethod
    def from_texts(cls, *arguments: Any, **options: Any) -> OneiricVectorStore:
        raise NotImplementedError

    async def _add(self, texts: list[str], metadatas: list[dict] | None, ids: list[str | None] | None) -> list[str]:
        given = [id_ or str(uuid4()) for id_ in ids or [None] * len(texts)]
        vectors = self._embeddings.embed_documents(texts)
        payloads = [{"text": text, "metadata": {}} for text in texts]
        for payload, metadata in zip(payloads, metadatas or [], strict=False):
            payload["metadata"] = metadata
        await self._adapter.upsert(COLLECTION, map(Record, given, vectors, payloads))
        return given

    async def _search(self, query: str, k: int, filter: Filter | None) -> list[Match]:
        vector = self._embeddings.embed_query(query)
        return await self._adapter.search(COLLECTION, vector, limit=k, filter=filter)


def _document(found: Record | Match) -> Document:
    return Document(id=found.id, page_content=found.payload["text"], metadata=found.payload["metadata"])


@contextmanager
def in_use(adapter: VectorAdapter) -> Iterator[tuple[VectorAdapter, Loop]]:
    """The adapter, initialised, and the loop that it lives in."""
    loop = Loop()
    try:
        loop.run(adapter.init())
        yield adapter, loop
    finally:
        loop.run(adapter.cleanup())
        loop.close()


class StandardTests(vectorstores.VectorStoreIntegrationTests):
    """LangChain's tests, on the adapter and the config that a subclass names."""

    adapter: type[VectorAdapter]
    config: Mapping[str, Any]

    @pytest.fixture(scope="class")
    @classmethod
    def alive(cls) -> Iterator[tuple[VectorAdapter, Loop]]:
        with in_use(cls.adapter(cls.config)) as alive:
            yield alive

    @pytest.fixture
    def vectorstore(self, alive: tuple[VectorAdapter, Loop]) -> Iterator[VectorStore]:
        adapter, loop = alive
        loop.run(adapter.create_collection(COLLECTION, vectorstores.EMBEDDING_SIZE))
        yield OneiricVectorStore(adapter, self.get_embeddings(), loop)
        loop.run(adapter.drop_collection(COLLECTION))


class TestPgVector(StandardTests):
    adapter = PgVectorAdapter
    config = {"dsn": "embedded://"}


class TestQdrant(StandardTests):
    adapter = QdrantAdapter
    config = {"url": "embedded://"}


class TestQdrantEdge(StandardTests):
    adapter = QdrantAdapter

    @pytest.fixture(scope="class")
    @classmethod
    def alive(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[VectorAdapter, Loop]]:
        folder = tmp_path_factory.mktemp("edge")
        with in_use(QdrantAdapter({"url": f"embedded://{folder}", "engine": "edge"})) as alive:
            yield alive
