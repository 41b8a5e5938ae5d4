namespace Kvorum.Kv;

/// <summary>The sessions of one moment, in order of their last use: an order that is equal on every replica.</summary>
internal sealed class SessionCapture(
    int count, int oldest, SessionTable.Session[] sessions, SessionTable.Answer[] answers)
{
    public int Count => count;

    public int Oldest => oldest;

    public ref readonly SessionTable.Session Session(int slot) => ref sessions[slot];

    public ref readonly SessionTable.Answer Answer(int slot) => ref answers[slot];
}
