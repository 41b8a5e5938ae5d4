using System.Runtime.InteropServices;
using Kvorum.Raft;

namespace Kvorum.Kv;

/// <summary>
/// Client id and sequence → the answer already given, so that a retried command takes effect once (thesis §6.3).
/// </summary>
/// <remarks>
/// <para>
/// A session keeps the answers to the last <see cref="KvOptions.AnswersPerSessionMax"/> sequence numbers up to its
/// highest one. Inside that window commands may come in any order, with gaps; below it an answer is gone.
/// </para>
/// <para>
/// Sessions and answers stand in two arrays and point to each other by slot, because every idempotency key makes a
/// session: 48 bytes for it, 64 for its answer, about 40 for its place in the lookup. The sessions form a list in order
/// of their last use; the lookup is never enumerated, so nothing depends on its hash.
/// </para>
/// </remarks>
internal sealed class SessionTable
{
    internal const int None = -1;

    /// <summary>What one answer counts against <see cref="KvOptions.RecordedBytesMax"/>, its detail apart.</summary>
    internal const int AnswerBytes = 64;

    private readonly KvOptions _options;
    private readonly Dictionary<UInt128, int> _slots = [];
    private SlotArray<Session> _sessions = new();
    private SlotArray<Answer> _answers = new();
    private int _oldest = None;
    private int _newest = None;
    private long _recordedBytes;

    public SessionTable(KvOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.SessionsMax, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.AnswersPerSessionMax, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(
            options.RecordedBytesMax,
            (long)options.AnswersPerSessionMax * (AnswerBytes + KvLimits.RecordedDetailBytesMax));
        _options = options;
    }

    public int Count => _slots.Count;

    /// <summary>Bytes of answers kept, as counted against <see cref="KvOptions.RecordedBytesMax"/>.</summary>
    public long RecordedBytes => _recordedBytes;

    /// <summary>Finds out whether a command must run. A known session is used by this, whatever comes out.</summary>
    public SessionAnswer Find(
        SessionStamp stamp, ulong fingerprint, LogIndex index, ref StateHash hash, out CommandResult result)
    {
        result = default;
        if (!_slots.TryGetValue(stamp.Client, out var slot))
        {
            if (stamp.Sequence == 1)
            {
                return SessionAnswer.Run;
            }

            result = new CommandResult(CommandStatus.UnknownSession, 0);
            return SessionAnswer.Answered;
        }

        Use(slot, index.Value);
        hash.Add((ulong)stamp.Client, (ulong)(stamp.Client >> 64));
        ref var session = ref _sessions[slot];
        if (stamp.Sequence > session.Highest)
        {
            return SessionAnswer.Run;
        }

        if (session.Highest - stamp.Sequence >= (ulong)_options.AnswersPerSessionMax)
        {
            result = new CommandResult(CommandStatus.SequenceTooOld, 0);
            return SessionAnswer.Answered;
        }

        for (var i = session.FirstAnswer; i != None; i = _answers[i].Next)
        {
            ref var answer = ref _answers[i];
            if (answer.Sequence == stamp.Sequence)
            {
                result = answer.Fingerprint == fingerprint
                    ? answer.ToResult()
                    : new CommandResult(CommandStatus.SequenceReused, 0);
                return SessionAnswer.Answered;
            }
        }

        return SessionAnswer.Run;
    }

    /// <summary>
    /// Records the answer to a command that <see cref="Find"/> told to run; opens the session if it is new.
    /// </summary>
    public void Record(
        SessionStamp stamp, ulong fingerprint, LogIndex index, in CommandResult result, ref StateHash hash)
    {
        // The lookup is repeated: the command itself may have expired sessions, this one too.
        if (!_slots.TryGetValue(stamp.Client, out var slot))
        {
            if (_slots.Count == _options.SessionsMax)
            {
                DropOldest(ref hash);
            }

            slot = Open(stamp.Client, index.Value);
        }

        var detail = ResultCodec.Encode(result.Detail, out var isDropped);
        var answer = new Answer
        {
            Sequence = stamp.Sequence,
            Fingerprint = fingerprint,
            Revision = result.Revision,
            Count = result.Count,
            Status = result.Status,
            IsDetailDropped = isDropped,
            Detail = detail,
        };
        Insert(slot, answer);
        DropBelowWindow(slot);
        hash.Add((ulong)stamp.Client, (ulong)(stamp.Client >> 64));
        hash.Add(stamp.Sequence, fingerprint);

        // The session just used is the newest, and its answers alone fit: this ends before it.
        while (_recordedBytes > _options.RecordedBytesMax)
        {
            DropOldest(ref hash);
        }
    }

    /// <summary>Drops the sessions last used before a log index.</summary>
    /// <returns>How many.</returns>
    public long Expire(ulong lastUsedBefore, ref StateHash hash)
    {
        var count = 0L;
        while (_oldest != None && _sessions[_oldest].LastUsed < lastUsedBefore)
        {
            DropOldest(ref hash);
            count++;
        }

        return count;
    }

    /// <summary>Copies the sessions as they are now, for a snapshot that is written while commands go on.</summary>
    public SessionCapture Capture() => new(_slots.Count, _oldest, _sessions.Copy(), _answers.Copy());

    public void Clear()
    {
        _slots.Clear();
        _sessions = new SlotArray<Session>();
        _answers = new SlotArray<Answer>();
        _oldest = None;
        _newest = None;
        _recordedBytes = 0;
    }

    /// <summary>Loads one session of a snapshot; they come in order of their last use.</summary>
    /// <returns>Its slot; null when the order or the count is wrong.</returns>
    public int? TryLoad(UInt128 client, ulong highest, ulong lastUsed)
    {
        var isInOrder = _newest == None || _sessions[_newest].LastUsed < lastUsed;
        if (!isInOrder || _slots.Count == _options.SessionsMax || _slots.ContainsKey(client))
        {
            return null;
        }

        var slot = Open(client, lastUsed);
        _sessions[slot].Highest = highest;
        return slot;
    }

    /// <summary>Loads one answer of a session; they come by rising sequence.</summary>
    /// <returns>False when the sequence is out of order or out of the window.</returns>
    public bool TryLoad(int slot, in Answer answer)
    {
        ref var session = ref _sessions[slot];
        var last = session.LastAnswer == None ? 0 : _answers[session.LastAnswer].Sequence;
        if (answer.Sequence <= last || answer.Sequence > session.Highest
            || session.Highest - answer.Sequence >= (ulong)_options.AnswersPerSessionMax)
        {
            return false;
        }

        Insert(slot, answer);
        return _recordedBytes <= _options.RecordedBytesMax;
    }

    private int Open(UInt128 client, ulong index)
    {
        var slot = _sessions.Take(_options.SessionsMax);
        _sessions[slot] = new Session
        {
            Client = client,
            LastUsed = index,
            Older = _newest,
            Newer = None,
            FirstAnswer = None,
            LastAnswer = None,
        };
        _slots.Add(client, slot);
        Link(slot);
        return slot;
    }

    private void Use(int slot, ulong index)
    {
        ref var session = ref _sessions[slot];
        session.LastUsed = index;
        if (slot == _newest)
        {
            return;
        }

        Unlink(slot);
        session.Older = _newest;
        session.Newer = None;
        Link(slot);
    }

    private void Link(int slot)
    {
        if (_newest == None)
        {
            _oldest = slot;
        }
        else
        {
            _sessions[_newest].Newer = slot;
        }

        _newest = slot;
    }

    private void Unlink(int slot)
    {
        ref var session = ref _sessions[slot];
        if (session.Older == None)
        {
            _oldest = session.Newer;
        }
        else
        {
            _sessions[session.Older].Newer = session.Newer;
        }

        if (session.Newer == None)
        {
            _newest = session.Older;
        }
        else
        {
            _sessions[session.Newer].Older = session.Older;
        }
    }

    private void DropOldest(ref StateHash hash)
    {
        var slot = _oldest;
        Invariant.Holds(slot != None, "A session is dropped only when there is one.");
        var client = _sessions[slot].Client;
        while (_sessions[slot].FirstAnswer != None)
        {
            DropFirstAnswer(slot);
        }

        Unlink(slot);
        _slots.Remove(client);
        _sessions.Release(slot);
        hash.Add((ulong)client, (ulong)(client >> 64));
    }

    /// <summary>Inserts by sequence; a new highest one, the usual case, goes to the end.</summary>
    private void Insert(int slot, in Answer answer)
    {
        var added = _answers.Take(int.MaxValue); // The real bound is RecordedBytesMax, in bytes.
        ref var session = ref _sessions[slot];
        var before = session.LastAnswer;
        if (before != None && _answers[before].Sequence > answer.Sequence)
        {
            before = None;
            for (var i = session.FirstAnswer; _answers[i].Sequence < answer.Sequence; i = _answers[i].Next)
            {
                before = i;
            }
        }

        var after = before == None ? session.FirstAnswer : _answers[before].Next;
        _answers[added] = answer with { Next = after };
        if (before == None)
        {
            session.FirstAnswer = added;
        }
        else
        {
            _answers[before].Next = added;
        }

        if (after == None)
        {
            session.LastAnswer = added;
        }

        session.Highest = Math.Max(session.Highest, answer.Sequence);
        _recordedBytes += AnswerBytes + (answer.Detail?.Length ?? 0);
    }

    private void DropBelowWindow(int slot)
    {
        ref var session = ref _sessions[slot];
        while (session.Highest - _answers[session.FirstAnswer].Sequence >= (ulong)_options.AnswersPerSessionMax)
        {
            DropFirstAnswer(slot);
        }
    }

    private void DropFirstAnswer(int slot)
    {
        ref var session = ref _sessions[slot];
        var dropped = session.FirstAnswer;
        _recordedBytes -= AnswerBytes + (_answers[dropped].Detail?.Length ?? 0);
        session.FirstAnswer = _answers[dropped].Next;
        if (session.FirstAnswer == None)
        {
            session.LastAnswer = None;
        }

        _answers[dropped] = default; // Lets go of the detail.
        _answers.Release(dropped);
    }

    /// <summary>A session; 48 bytes.</summary>
    [StructLayout(LayoutKind.Auto)]
    internal struct Session
    {
        public UInt128 Client;
        public ulong Highest;
        public ulong LastUsed;
        public int Older;
        public int Newer;
        public int FirstAnswer;
        public int LastAnswer;
    }

    /// <summary>A recorded answer; 56 bytes and its detail.</summary>
    [StructLayout(LayoutKind.Auto)]
    internal record struct Answer
    {
        public ulong Sequence;
        public ulong Fingerprint;
        public long Revision;
        public long Count;
        public byte[]? Detail;
        public int Next;
        public CommandStatus Status;
        public bool IsDetailDropped;

        public readonly CommandResult ToResult() =>
            new(Status, Revision, Count, ResultCodec.Decode(Detail)) { IsDetailDropped = IsDetailDropped };
    }
}
