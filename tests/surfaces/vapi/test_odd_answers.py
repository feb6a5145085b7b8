"""What a model says is kept on each kind of database, whatever characters are in it: nobody can be asked to say it otherwise."""

from __future__ import annotations

from tests.surfaces.vapi.desk import Desk


async def test_a_chat_is_kept_whatever_a_model_says(desk: Desk) -> None:
    model = '{provider: scripted, options: {replies: ["one\\0two"]}}'
    (desk.folder / "odd.yaml").write_text(f"name: odd\nmodel: {model}\n")
    said = await desk.client.post("/chat", json={"assistantId": "odd", "input": "Say something."})
    assert said.status_code == 201, said.text
    kept = (await desk.client.get(f"/chat/{said.json()['id']}")).json()
    assert [each["content"] for each in kept["output"]] == ["one\ufffdtwo"]
