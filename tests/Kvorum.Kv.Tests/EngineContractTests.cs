namespace Kvorum.Kv.Tests;

/// <summary>
/// The contract of <see cref="IEngine"/>, executable: an engine's tests derive from this class and open it.
/// </summary>
public abstract partial class EngineContractTests
{
    /// <summary>A new engine with nothing in it.</summary>
    protected abstract IEngine Open();
}
